// warmpoold: the Warmpool daemon.
#include "server/run_daemon.h"

int main(int argc, char** argv) { return warmpool::RunDaemon(argc, argv); }
