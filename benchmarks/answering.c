/* The servers of the probe benchmark, on every address of this machine: one port that answers each HTTP request and
 * closes, one that reads what comes until the peer closes. On start it prints the two ports. For each byte on stdin it
 * prints how many connections each port has accepted; it ends with stdin, and so with who started it. */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HTTP, TCP, PORTS };
enum { MAX_FDS = 65536, EVENTS = 512, BACKLOG = 4096 };

static const char ANSWER[] = "HTTP/1.1 200 OK\r\n"
                             "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
                             "Server: answering\r\n"
                             "Cache-Control: no-store\r\n"
                             "Content-Type: text/plain; charset=utf-8\r\n"
                             "Content-Length: 3\r\n"
                             "Connection: close\r\n"
                             "\r\n"
                             "ok\n";
static const char END[] = "\r\n\r\n"; /* of a request */

static struct {
    unsigned char kind;
    unsigned char matched; /* bytes of END seen last */
} connections[MAX_FDS];

static int epoll;

static void give_up(const char *what)
{
    perror(what);
    exit(1);
}

static void watch(int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        give_up("epoll_ctl");
}

static int listening(unsigned short *port)
{
    struct sockaddr_in everywhere = {.sin_family = AF_INET};
    socklen_t length = sizeof everywhere;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&everywhere, length) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&everywhere, &length) != 0)
        give_up("cannot listen");
    *port = ntohs(everywhere.sin_port);
    return fd;
}

static bool ends_request(int fd, const char *bytes, ssize_t count)
{
    unsigned char matched = connections[fd].matched;
    for (ssize_t i = 0; i < count && END[matched]; i++)
        matched = bytes[i] == END[matched] ? matched + 1 : bytes[i] == END[0];
    connections[fd].matched = matched;
    return !END[matched];
}

/* Whether the connection is done with. */
static bool served(int fd)
{
    char bytes[4096];
    ssize_t count;
    while ((count = recv(fd, bytes, sizeof bytes, 0)) > 0) {
        if (connections[fd].kind == HTTP && ends_request(fd, bytes, count)) {
            send(fd, ANSWER, sizeof ANSWER - 1, MSG_NOSIGNAL);
            return true;
        }
    }
    return count == 0 || errno != EAGAIN;
}

static unsigned long accepted(int listener, int kind)
{
    unsigned long count = 0;
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        if (fd >= MAX_FDS)
            give_up("too many connections");
        count++;
        connections[fd].kind = kind;
        connections[fd].matched = 0;
        if (served(fd))
            close(fd);
        else
            watch(fd);
    }
    /* A peer that has left already is no matter; the lack of descriptors would falsify what is measured. */
    if (errno != EAGAIN && errno != ECONNABORTED)
        give_up("accept");
    return count;
}

int main(void)
{
    struct epoll_event events[EVENTS];
    unsigned long counts[PORTS] = {0};
    unsigned short ports[PORTS];
    int listeners[PORTS];
    struct rlimit descriptors;
    getrlimit(RLIMIT_NOFILE, &descriptors);
    descriptors.rlim_cur = descriptors.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &descriptors) != 0)
        give_up("setrlimit");
    if ((epoll = epoll_create1(0)) < 0)
        give_up("epoll_create1");
    for (int kind = 0; kind < PORTS; kind++)
        watch(listeners[kind] = listening(&ports[kind]));
    watch(STDIN_FILENO);
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("%u %u\n", ports[HTTP], ports[TCP]);
    for (;;) {
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (fd == STDIN_FILENO) {
                char byte;
                if (read(STDIN_FILENO, &byte, 1) <= 0)
                    return 0;
                printf("%lu %lu\n", counts[HTTP], counts[TCP]);
            } else if (fd == listeners[HTTP]) {
                counts[HTTP] += accepted(fd, HTTP);
            } else if (fd == listeners[TCP]) {
                counts[TCP] += accepted(fd, TCP);
            } else if (served(fd)) {
                close(fd); /* which takes it out of the epoll set */
            }
        }
    }
}
