-- A mix of requests for DemoService.java, run by wrk: mostly waiting, some work, some memory.
local requests = {
  "/sleep?n=20", "/sleep?n=20", "/allocate?n=4000", "/sleep?n=5", "/sort?n=50000", "/retain?n=256",
}
local next_request = 0

function request()
  next_request = next_request % #requests + 1
  return wrk.format("GET", requests[next_request])
end
