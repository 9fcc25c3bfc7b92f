/* The physical floor of probing: the system calls of one probe and nothing else, one probe after the other.
 *
 * bare_probes tcp|http|icmp PORT BACKENDS COUNT: probes 127.1.0.0 and the BACKENDS - 1 addresses after it, in turn, COUNT
 * times in all, and prints the CPU seconds that this took. Ends with an error when any probe fails. Echoes share one
 * socket, as nothing asks for more. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FIRST = 0x7f010000, TOKEN = 16, FILTER = 1 /* ICMP_FILTER of linux/icmp.h */, SECONDS = 60 };

static const char REQUEST[] = "GET / HTTP/1.1\r\n"
                              "Host: 127.100.100.100:65535\r\n"
                              "User-Agent: bare_probes\r\n"
                              "Accept: */*\r\n"
                              "Connection: close\r\n"
                              "\r\n";
static const char EXPECTED[] = "HTTP/1.1 200 ";

static void give_up(const char *what)
{
    perror(what);
    exit(1);
}

static void connects(const struct sockaddr_in *target, int gets)
{
    char answer[4096];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)target, sizeof *target) != 0)
        give_up("connect");
    if (gets) {
        if (send(fd, REQUEST, sizeof REQUEST - 1, MSG_NOSIGNAL) != sizeof REQUEST - 1)
            give_up("send");
        if (recv(fd, answer, sizeof answer, 0) < (ssize_t)sizeof EXPECTED - 1 ||
            memcmp(answer, EXPECTED, sizeof EXPECTED - 1) != 0)
            give_up("no proper answer");
    }
    close(fd);
}

static uint16_t checksum(const uint8_t *bytes, size_t length)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < length; i += 2)
        sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return htons(~sum & 0xffff);
}

/* Only a raw socket hears what is not its own, and the kernel drops all but replies; `header` is what comes before one. */
static int open_echo(size_t *header)
{
    int fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
    *header = 0;
    if (fd < 0) {
        uint32_t all_but_replies = ~(1u << ICMP_ECHOREPLY);
        fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
        *header = 20;
        if (fd < 0 || setsockopt(fd, SOL_RAW, FILTER, &all_but_replies, sizeof all_but_replies) != 0)
            give_up("no ICMP socket");
    }
    return fd;
}

static void echoes(int fd, size_t header, const struct sockaddr_in *target, uint16_t sequence)
{
    struct echo {
        struct icmphdr head;
        uint8_t token[TOKEN];
    } echo = {.head = {.type = ICMP_ECHO}};
    const size_t at = offsetof(struct icmphdr, un.echo.sequence);
    uint8_t answer[1024];
    struct sockaddr_in from = {0};
    socklen_t length = sizeof from;
    echo.head.un.echo.id = htons((uint16_t)getpid());
    echo.head.un.echo.sequence = htons(sequence);
    echo.head.checksum = checksum((const uint8_t *)&echo, sizeof echo);
    if (sendto(fd, &echo, sizeof echo, 0, (const struct sockaddr *)target, sizeof *target) != sizeof echo)
        give_up("sendto");
    do {
        length = sizeof from;
        if (recvfrom(fd, answer, sizeof answer, 0, (struct sockaddr *)&from, &length) < (ssize_t)(header + sizeof echo))
            give_up("no proper echo");
    } while (from.sin_addr.s_addr != target->sin_addr.s_addr ||
             memcmp(answer + header + at, &echo.head.un.echo.sequence, sizeof sequence) != 0);
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: bare_probes tcp|http|icmp PORT BACKENDS COUNT\n");
        return 2;
    }
    int is_icmp = strcmp(argv[1], "icmp") == 0, gets = strcmp(argv[1], "http") == 0;
    uint32_t backends = strtoul(argv[3], NULL, 10);
    unsigned long count = strtoul(argv[4], NULL, 10);
    struct sockaddr_in target = {.sin_family = AF_INET, .sin_port = htons(strtoul(argv[2], NULL, 10))};
    size_t header = 0;
    int echo = is_icmp ? open_echo(&header) : -1;
    alarm(SECONDS); /* an answer that never comes ends it */
    for (unsigned long i = 0; i < count; i++) {
        target.sin_addr.s_addr = htonl(FIRST + i % backends);
        if (is_icmp)
            echoes(echo, header, &target, (uint16_t)i);
        else
            connects(&target, gets);
    }
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    printf("%.6f\n", used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
    return 0;
}
