// Tells where the daemon's bytes are.
const grpc = require('@grpc/grpc-js');
const protoLoader = require('@grpc/proto-loader');

const definition = protoLoader.loadSync('warmpool/v1/warmpool.proto', {
  includeDirs: ['proto'],
  keepCase: true,
  longs: Number,
  defaults: true,
});
const { MemoryPool } = grpc.loadPackageDefinition(definition).warmpool.v1;
const pool = new MemoryPool(process.argv[2], grpc.credentials.createInsecure());

pool.GetStats({}, { deadline: Date.now() + 10000 }, (error, stats) => {
  if (error) throw error;
  console.log(`daemon ${stats.pid}: ${stats.leases.live_leases} live leases`);
  for (const [name, bytes] of Object.entries(stats.bytes)) console.log(`${name} ${bytes}`);
});
