// The status page, as it is served.
#ifndef WARMPOOL_SERVER_HTTP_STATUS_PAGE_H_
#define WARMPOOL_SERVER_HTTP_STATUS_PAGE_H_

namespace warmpool {

// Of status_page.html.
extern const char kStatusPage[];

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_HTTP_STATUS_PAGE_H_
