#include "agent/bpf/ring_reader.h"

#include <fcntl.h>

namespace manometer::bpf {

Result<std::unique_ptr<RingReader>> RingReader::open(boost::asio::io_context& loop, int map_fd, OnRecord on_record) {
  std::unique_ptr<RingReader> reader(new RingReader(loop, std::move(on_record)));
  reader->ring_.reset(::ring_buffer__new(map_fd, &RingReader::record, reader.get(), nullptr));
  if (!reader->ring_) return Error::from_errno("map BPF ring buffer");
  const int fd = ::fcntl(::ring_buffer__epoll_fd(reader->ring_.get()), F_DUPFD_CLOEXEC, 0);
  if (fd < 0) return Error::from_errno("watch BPF ring buffer");
  reader->readable_.assign(fd);
  reader->wait();
  return reader;
}

RingReader::~RingReader() = default;

int RingReader::record(void* self, void* data, size_t size) {
  static_cast<RingReader*>(self)->on_record_({static_cast<const std::byte*>(data), size});
  return 0;
}

void RingReader::wait() {
  // The kernel signals a record only to a reader that had seen all before it: so first wait, then read what there is.
  readable_.async_wait(boost::asio::posix::stream_descriptor::wait_read, [this](boost::system::error_code error) {
    if (error) return;
    timer_.expires_after(kBatchInterval);
    timer_.async_wait([this](boost::system::error_code timer_error) {
      if (!timer_error) wait();
    });
  });
  ::ring_buffer__consume(ring_.get());
}

}  // namespace manometer::bpf
