/* A load generator for name servers that costs less per query than the servers it measures.
 *
 *   load PORT QUERIES MODE SECONDS SEED OFFSET
 *
 * QUERIES is a file of messages, each after two octets of length (zone_sets.py). MODE is
 *   closed    UDP: 8 sockets with 16 queries outstanding on each; an answer after 100 ms is a loss
 *   fresh     the same, with new random letters in the first label of each query
 *   shared    closed, but it sleeps while no answer comes: for a generator that has no processor to itself
 *   RATE      UDP: a number of queries a second, whatever the server does; latency counts from when a query was due
 *   tcp       32 connections that are kept, one query outstanding on each
 *   tcpnew    32 queries outstanding, each on a connection of its own
 *
 * Otherwise it never sleeps: it has a processor to itself, and the server never pays for waking it. After 0.3 s of warming up
 * it says GO on standard error, at the end END; between the two its caller reads the server's processor time.
 * One JSON object goes to standard output.
 *
 * In closed mode, runs of queries of equal length leave as one message that the kernel cuts up (UDP GSO). The
 * server receives ordinary datagrams.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    UDP_SOCKETS = 8,
    UDP_WINDOW = 16,
    TCP_CONNECTIONS = 32,
    BATCH = 64,
    QUERY_MAX = 512,
    REPLY_MAX = 4096,
    RUN = 16, /* queries of equal length in one go */
};
static const uint64_t MILLISECOND = 1000000, WARM_UP = 300 * MILLISECOND;

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

static uint64_t nanoseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000ull + time.tv_nsec;
}

static uint64_t dice_state = 0x9E3779B97F4A7C15ull;
static uint64_t dice(void) {
    dice_state ^= dice_state << 13;
    dice_state ^= dice_state >> 7;
    dice_state ^= dice_state << 17;
    return dice_state;
}

/* ----- What is counted ------------------------------------------------------------------------------------ */

static struct {
    uint64_t sent, answered, lost, stray, errors, octets, rcodes[16];
    uint64_t latencies[64 * 64]; /* by nanoseconds: 64 steps in each power of two, which is about 1.5 % */
    struct rusage usage;
    uint64_t start;
} count;
static int counting;

static unsigned latency_step(uint64_t latency) {
    if (latency < 64)
        return latency;
    int power = 63 - __builtin_clzll(latency);
    return (power - 5) * 64 + ((latency >> (power - 6)) & 63);
}

/* The latency in microseconds that this share of the answers did not exceed. */
static double latency_at(double share) {
    uint64_t wanted = share * count.answered, seen = 0;
    for (unsigned step = 0; step < 64 * 64; step++) {
        seen += count.latencies[step];
        if (seen > wanted)
            return (step < 64 ? step : (double)(1ull << (step / 64 + 5)) * (1 + (step % 64 + 0.5) / 64)) / 1000;
    }
    return 0;
}

static void answered(const uint8_t *reply, unsigned length, uint64_t latency) {
    if (!counting)
        return;
    count.answered++;
    count.octets += length;
    count.rcodes[reply[3] & 15]++;
    count.latencies[latency_step(latency)]++;
}

static void say(const char *word) {
    if (write(2, word, strlen(word)) < 0)
        exit(1);
}

/* Ends the warming up when it is time. */
static void begin_at(uint64_t time, uint64_t now) {
    if (counting || now < time)
        return;
    memset(&count, 0, sizeof count);
    counting = 1;
    count.start = now;
    getrusage(RUSAGE_SELF, &count.usage);
    say("GO\n");
}

static double seconds(struct timeval time) { return time.tv_sec + time.tv_usec / 1e6; }

static void report(void) {
    uint64_t end = nanoseconds();
    say("END\n");
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double processor = seconds(usage.ru_utime) + seconds(usage.ru_stime) - seconds(count.usage.ru_utime) -
                       seconds(count.usage.ru_stime);
    printf("{\"answered\":%lu,\"sent\":%lu,\"lost\":%lu,\"stray\":%lu,\"errors\":%lu,\"seconds\":%.4f,"
           "\"octets\":%.2f,\"noerror\":%lu,\"nxdomain\":%lu,\"p50\":%.1f,\"p99\":%.1f,\"client_seconds\":%.4f}\n",
           count.answered, count.sent, count.lost, count.stray, count.errors, (end - count.start) / 1e9,
           count.answered ? (double)count.octets / count.answered : 0, count.rcodes[0], count.rcodes[3],
           latency_at(.5), latency_at(.99), processor);
}

/* ----- The queries ---------------------------------------------------------------------------------------- */

static uint8_t *octets;
static uint32_t *queries; /* where each begins */
static size_t query_count, query_next;
static int fresh;

static unsigned length_of(uint32_t query) { return octets[query] | octets[query + 1] << 8; }

static void read_queries(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(1);
    }
    fseek(file, 0, SEEK_END);
    size_t size = ftell(file);
    rewind(file);
    octets = malloc(size + 1);
    queries = malloc((size / 2 + 1) * sizeof *queries);
    if (fread(octets, 1, size, file) != size)
        exit(1);
    fclose(file);
    for (size_t at = 0; at + 2 <= size; at += 2 + length_of(at))
        queries[query_count++] = at;
}

/* Puts queries of equal length side by side, in runs; it mixes as well as the file did. */
static void arrange_in_runs(void) {
    uint32_t *arranged = malloc(query_count * sizeof *arranged), *waiting = malloc(QUERY_MAX * RUN * sizeof *waiting);
    unsigned waiting_count[QUERY_MAX] = {0};
    size_t done = 0;
    for (size_t i = 0; i < query_count; i++) {
        unsigned length = length_of(queries[i]);
        waiting[length * RUN + waiting_count[length]++] = queries[i];
        if (waiting_count[length] == RUN) {
            memcpy(arranged + done, waiting + length * RUN, RUN * sizeof *arranged);
            done += RUN;
            waiting_count[length] = 0;
        }
    }
    for (unsigned length = 0; length < QUERY_MAX; length++) {
        memcpy(arranged + done, waiting + length * RUN, waiting_count[length] * sizeof *arranged);
        done += waiting_count[length];
    }
    queries = arranged;
}

static unsigned next_query(uint8_t *to, uint16_t identifier) {
    uint32_t query = queries[query_next];
    query_next = query_next + 1 == query_count ? 0 : query_next + 1;
    unsigned length = length_of(query);
    memcpy(to, octets + query + 2, length);
    memcpy(to, &identifier, 2);
    if (fresh) {
        uint64_t letters = dice();
        for (unsigned i = 0; i < to[12] && i < 12; i++, letters >>= 5)
            to[13 + i] = 'a' + (letters & 31) % 26;
    }
    return length;
}

/* ----- UDP ------------------------------------------------------------------------------------------------ */

struct udp {
    int socket;
    uint16_t next, oldest; /* identifiers */
    unsigned outstanding;
    uint64_t *sent_at; /* by identifier; 0 if nothing is awaited */
};

static void udp_open(struct udp *udp, const struct sockaddr_in *server) {
    int size = 4 << 20;
    udp->socket = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    setsockopt(udp->socket, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    setsockopt(udp->socket, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    if (connect(udp->socket, (void *)server, sizeof *server)) {
        perror("connect");
        exit(1);
    }
    udp->sent_at = calloc(65536, sizeof *udp->sent_at);
    udp->next = udp->oldest = dice();
}

/* Sends `wanted` queries, the first due at `due` and each `step` later, in runs of up to `run_max`. */
static int udp_send(struct udp *udp, unsigned wanted, uint64_t due, double step, unsigned run_max) {
    static uint8_t room[BATCH * QUERY_MAX];
    static struct iovec parts[BATCH];
    static struct mmsghdr batch[BATCH];
    static union {
        char octets[CMSG_SPACE(2)];
        struct cmsghdr header;
    } cuts[BATCH];
    unsigned messages = 0, runs[BATCH], used = 0;
    for (unsigned i = 0; i < wanted; i++) {
        uint16_t identifier = udp->next + i;
        unsigned length = next_query(room + used, identifier);
        udp->sent_at[identifier] = due + (uint64_t)(i * step);
        unsigned last = messages - 1;
        if (messages && runs[last] < run_max && parts[last].iov_len == (size_t)length * runs[last]) {
            parts[last].iov_len += length;
            runs[last]++;
        } else {
            parts[messages] = (struct iovec){room + used, length};
            runs[messages++] = 1;
        }
        used += length;
    }
    for (unsigned i = 0; i < messages; i++) {
        batch[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
        if (runs[i] > 1) {
            uint16_t length = parts[i].iov_len / runs[i];
            cuts[i].header = (struct cmsghdr){CMSG_LEN(2), SOL_UDP, UDP_SEGMENT};
            memcpy(CMSG_DATA(&cuts[i].header), &length, 2);
            batch[i].msg_hdr.msg_control = cuts[i].octets;
            batch[i].msg_hdr.msg_controllen = sizeof cuts[i].octets;
        }
    }
    int taken = sendmmsg(udp->socket, batch, messages, 0);
    if (taken < 0 && errno != EAGAIN)
        count.errors++;
    unsigned sent = 0;
    for (int i = 0; i < taken; i++)
        sent += runs[i];
    for (unsigned i = sent; i < wanted; i++)
        udp->sent_at[(uint16_t)(udp->next + i)] = 0;
    udp->next += sent;
    udp->outstanding += sent;
    count.sent += sent;
    return sent;
}

static int udp_receive(struct udp *udp) {
    static uint8_t replies[BATCH][REPLY_MAX];
    static struct iovec parts[BATCH];
    static struct mmsghdr batch[BATCH];
    for (int i = 0; i < BATCH && !parts[i].iov_base; i++) {
        parts[i] = (struct iovec){replies[i], REPLY_MAX};
        batch[i].msg_hdr.msg_iov = &parts[i];
        batch[i].msg_hdr.msg_iovlen = 1;
    }
    int read = recvmmsg(udp->socket, batch, BATCH, MSG_DONTWAIT, NULL);
    if (read < 0 && errno != EAGAIN)
        count.errors++;
    uint64_t now = nanoseconds();
    for (int i = 0; i < read; i++) {
        uint16_t identifier;
        memcpy(&identifier, replies[i], 2);
        uint64_t sent_at = udp->sent_at[identifier];
        if (batch[i].msg_len < 12 || !sent_at) {
            count.stray++;
            continue;
        }
        udp->sent_at[identifier] = 0;
        udp->outstanding--;
        answered(replies[i], batch[i].msg_len, now > sent_at ? now - sent_at : 0);
    }
    return read > 0 ? read : 0;
}

/* Gives up what has waited longer than `patience`. */
static void udp_expire(struct udp *udp, uint64_t now, uint64_t patience) {
    for (; udp->oldest != udp->next; udp->oldest++) {
        uint64_t *sent_at = &udp->sent_at[udp->oldest];
        if (*sent_at && now < *sent_at + patience)
            break;
        if (*sent_at) {
            *sent_at = 0;
            udp->outstanding--;
            count.lost++;
        }
    }
}

static void run_udp(const struct sockaddr_in *server, double rate, int sleeps, uint64_t start, uint64_t end) {
    struct udp all[UDP_SOCKETS] = {0};
    struct pollfd awaited[UDP_SOCKETS];
    for (int i = 0; i < UDP_SOCKETS; i++) {
        udp_open(&all[i], server);
        awaited[i] = (struct pollfd){.fd = all[i].socket, .events = POLLIN};
    }
    double step = rate ? 1e9 / rate : 0;
    uint64_t sent = 0, patience = (rate ? 1000 : 100) * MILLISECOND, turn = 0;
    for (uint64_t now = nanoseconds(); now < end; now = nanoseconds()) {
        begin_at(start + WARM_UP, now);
        int received = 0;
        for (int i = 0; i < UDP_SOCKETS; i++)
            received += udp_receive(&all[i]);
        if (rate) {
            for (uint64_t due = (now - start) / step; sent < due;) {
                unsigned behind = due - sent, each = (behind + UDP_SOCKETS - 1) / UDP_SOCKETS;
                unsigned wanted = each > BATCH ? BATCH : each;
                int taken = udp_send(&all[turn++ % UDP_SOCKETS], wanted, start + (uint64_t)(sent * step), step, 1);
                if (!taken)
                    break;
                sent += taken;
            }
        } else {
            for (int i = 0; i < UDP_SOCKETS; i++)
                if (all[i].outstanding <= UDP_WINDOW / 2)
                    udp_send(&all[i], UDP_WINDOW - all[i].outstanding, now, 0, RUN);
        }
        if (!received && sleeps)
            poll(awaited, UDP_SOCKETS, 1);
        if (!received || (++turn & 63) == 0)
            for (int i = 0; i < UDP_SOCKETS; i++)
                udp_expire(&all[i], now, patience);
    }
}

/* ----- TCP ------------------------------------------------------------------------------------------------ */

struct tcp {
    int socket, connected;
    unsigned filled;
    uint64_t since; /* the query was sent, or with a connection for each: the connection was begun */
    uint8_t room[65536 + 2];
};

static void tcp_open(struct tcp *tcp, int poll, const struct sockaddr_in *server, int is_new_each) {
    static unsigned opened;
    int yes = 1;
    tcp->socket = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(tcp->socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (is_new_each) { /* from many addresses, or the connections that linger would use up the ports of one */
        struct sockaddr_in from = {.sin_family = AF_INET};
        from.sin_addr.s_addr = htonl(0x7f000201 + (opened++ & 127));
        setsockopt(tcp->socket, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
        if (bind(tcp->socket, (void *)&from, sizeof from))
            count.errors++;
    }
    tcp->connected = 0;
    tcp->filled = 0;
    tcp->since = nanoseconds();
    if (connect(tcp->socket, (void *)server, sizeof *server) && errno != EINPROGRESS)
        count.errors++;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = tcp};
    epoll_ctl(poll, EPOLL_CTL_ADD, tcp->socket, &event);
}

static void tcp_ask(struct tcp *tcp, int is_new_each) {
    static uint16_t identifier;
    uint8_t message[QUERY_MAX + 2];
    unsigned length = next_query(message + 2, identifier++);
    message[0] = length >> 8, message[1] = length;
    if (!is_new_each)
        tcp->since = nanoseconds();
    count.sent++;
    if (send(tcp->socket, message, length + 2, MSG_NOSIGNAL) != length + 2)
        count.errors++;
}

/* Reads what is there: 1 if a reply is whole, 0 if not yet, -1 if the connection has ended. */
static int tcp_read(struct tcp *tcp) {
    for (;;) {
        ssize_t read = recv(tcp->socket, tcp->room + tcp->filled, sizeof tcp->room - tcp->filled, 0);
        if (read <= 0)
            return read < 0 && errno == EAGAIN ? 0 : -1;
        tcp->filled += read;
        unsigned length = tcp->filled < 2 ? UINT16_MAX : tcp->room[0] << 8 | tcp->room[1];
        if (tcp->filled >= length + 2) {
            answered(tcp->room + 2, length, nanoseconds() - tcp->since);
            tcp->filled = 0;
            return 1;
        }
    }
}

static void run_tcp(const struct sockaddr_in *server, int is_new_each, uint64_t start, uint64_t end) {
    static struct tcp all[TCP_CONNECTIONS];
    struct epoll_event events[BATCH];
    int poll = epoll_create1(0);
    for (int i = 0; i < TCP_CONNECTIONS; i++)
        tcp_open(&all[i], poll, server, is_new_each);
    uint64_t swept = start;
    for (uint64_t now = nanoseconds(); now < end; now = nanoseconds()) {
        begin_at(start + WARM_UP, now);
        int ready = epoll_wait(poll, events, BATCH, 0);
        for (int i = 0; i < ready; i++) {
            struct tcp *tcp = events[i].data.ptr;
            if (!tcp->connected && events[i].events & EPOLLOUT) {
                tcp->connected = 1;
                tcp_ask(tcp, is_new_each);
            }
            int state = events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP) ? tcp_read(tcp) : 0;
            if (state < 0)
                count.lost++;
            if (state < 0 || (state > 0 && is_new_each)) {
                close(tcp->socket);
                tcp_open(tcp, poll, server, is_new_each);
            } else if (state > 0) {
                tcp_ask(tcp, is_new_each);
            }
        }
        if (now < swept + 500 * MILLISECOND)
            continue;
        swept = now; /* a connection that has hung for 2 s is replaced */
        for (int i = 0; i < TCP_CONNECTIONS; i++)
            if (now > all[i].since + 2000 * MILLISECOND) {
                count.lost++;
                close(all[i].socket);
                tcp_open(&all[i], poll, server, is_new_each);
            }
    }
}

int main(int words, char **word) {
    if (words != 7)
        return 2;
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(atoi(word[1]))};
    inet_pton(AF_INET, "127.0.0.1", &server.sin_addr);
    const char *mode = word[3];
    read_queries(word[2]);
    dice_state ^= (strtoull(word[5], NULL, 10) + 1) * 0x100000001b3ull;
    query_next = strtoull(word[6], NULL, 10) % query_count;
    uint64_t start = nanoseconds(), end = start + WARM_UP + (uint64_t)(atof(word[4]) * 1e9);
    fresh = !strcmp(mode, "fresh");
    if (!strncmp(mode, "tcp", 3)) {
        run_tcp(&server, !strcmp(mode, "tcpnew"), start, end);
    } else if (atof(mode)) {
        run_udp(&server, atof(mode), 0, start, end);
    } else {
        arrange_in_runs();
        run_udp(&server, 0, !strcmp(mode, "shared"), start, end);
    }
    report();
    return 0;
}
