#pragma once

#include <chrono>
#include <map>
#include <string>

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>

#include "agent/base/result.h"

namespace manometer::http {

/// GET http://<address><target>; waits for the answer, at most timeout. address: "HOST:PORT". An Error if there was no
/// whole answer; its status is not looked at.
Result<boost::beast::http::response<boost::beast::http::string_body>> get(
    const std::string& address, const std::string& target, std::chrono::milliseconds timeout,
    const std::map<std::string, std::string>& headers = {});

}  // namespace manometer::http
