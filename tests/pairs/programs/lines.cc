// A line server and its client on iostreams of libstdc++: lines server|client PORT
// It speaks as tests/compat/programs/line_server.pl does.
#include <arpa/inet.h>
#include <ext/stdio_filebuf.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>

using Buffer = __gnu_cxx::stdio_filebuf<char>;

static void
must(bool is_true, const std::string &what)
{
    if (!is_true) {
        std::cerr << what << '\n';
        std::exit(1);
    }
}

static void
serve(int fd)
{
    Buffer in_buffer(dup(fd), std::ios::in);
    Buffer out_buffer(fd, std::ios::out);
    std::istream in(&in_buffer);
    std::ostream out(&out_buffer);
    std::string line;
    out << "welcome MTLS-TEST-MARKER" << std::endl;
    while (std::getline(in, line)) {
        if (line.compare(0, 6, "LINES ") == 0) {
            int count = std::stoi(line.substr(6));
            for (int number = 1; number <= count; number++) {
                out << "line " << number << " MTLS-TEST-MARKER\n";
            }
        } else {
            std::transform(line.begin(), line.end(), line.begin(), ::toupper);
            out << line << '\n';
        }
        out.flush();
    }
}

static void
ask(int fd)
{
    Buffer in_buffer(dup(fd), std::ios::in);
    Buffer out_buffer(fd, std::ios::out);
    std::istream in(&in_buffer);
    std::ostream out(&out_buffer);
    std::string line;
    must(bool(std::getline(in, line)) && line == "welcome MTLS-TEST-MARKER", "greeting");
    for (int number = 1; number <= 20; number++) {
        out << "hello " << number << " mtls-test-marker" << std::endl;
        must(bool(std::getline(in, line)) &&
                 line == "HELLO " + std::to_string(number) + " MTLS-TEST-MARKER",
             "echo: " + line);
    }
    out << "LINES 30000" << std::endl;
    shutdown(fd, SHUT_WR);
    int number = 0;
    while (std::getline(in, line)) {
        number++;
        must(line == "line " + std::to_string(number) + " MTLS-TEST-MARKER", line);
    }
    must(number == 30000, "only " + std::to_string(number) + " lines");
    std::cout << "fine" << std::endl;
}

int
main(int, char **argv)
{
    struct sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(uint16_t(std::atoi(argv[2])));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto where = reinterpret_cast<struct sockaddr *>(&address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (std::string(argv[1]) == "client") {
        must(connect(fd, where, sizeof(address)) == 0, "connect");
        ask(fd);
        return 0;
    }
    must(bind(fd, where, sizeof(address)) == 0 && listen(fd, 16) == 0, "listen");
    for (;;) {
        int client = accept(fd, nullptr, nullptr);
        must(client >= 0, "accept");
        std::thread(serve, client).detach();
    }
}
