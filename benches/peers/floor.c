/* The floor: what any UDP server on sockets must pay on this kernel.
 *
 * It reads and sends up to 64 datagrams a system call and gives every question the same address, without
 * looking anything up. What a real server costs beyond it is the server's own.
 *
 *   floor PORT
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { BATCH = 64, ROOM = 2048, QUERY_MAX = 1400, HEADER = 12 };

static const uint8_t ADDRESS[16] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 1};

/* Makes the query in `message` its own answer; its length, 0 if there is none. */
static unsigned answer(uint8_t *message, unsigned length) {
    unsigned at = HEADER;
    if (length < HEADER + 5)
        return 0;
    while (at < length && message[at])
        at += message[at] + 1u;
    at += 5;
    if (at > length)
        return 0;
    message[2] = 0x84 | (message[2] & 1);
    message[3] = 0;
    message[6] = 0, message[7] = 1;
    memset(message + 8, 0, 4);
    memcpy(message + at, ADDRESS, sizeof ADDRESS);
    return at + sizeof ADDRESS;
}

int main(int count, char **words) {
    if (count != 2)
        return 2;
    int socket_ = socket(AF_INET, SOCK_DGRAM, 0), size = 4 << 20;
    setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    setsockopt(socket_, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(atoi(words[1]))};
    inet_pton(AF_INET, "127.0.0.1", &here.sin_addr);
    if (bind(socket_, (void *)&here, sizeof here)) {
        perror("bind");
        return 1;
    }
    static uint8_t messages[BATCH][ROOM];
    static struct sockaddr_in clients[BATCH];
    static struct iovec parts[BATCH];
    static struct mmsghdr batch[BATCH];
    for (int i = 0; i < BATCH; i++) {
        parts[i].iov_base = messages[i];
        batch[i].msg_hdr.msg_iov = &parts[i];
        batch[i].msg_hdr.msg_iovlen = 1;
        batch[i].msg_hdr.msg_name = &clients[i];
    }
    for (int used = BATCH;;) {
        for (int i = 0; i < used; i++) {
            parts[i].iov_len = QUERY_MAX;
            batch[i].msg_hdr.msg_namelen = sizeof clients[i];
        }
        int read = recvmmsg(socket_, batch, BATCH, MSG_WAITFORONE, NULL);
        used = read > 0 ? read : 0;
        for (int i = 0; i < used; i++) {
            unsigned length = answer(messages[i], batch[i].msg_len);
            parts[i].iov_len = length ? length : HEADER;
        }
        for (int sent = 0; sent < used;) {
            int now = sendmmsg(socket_, batch + sent, used - sent, 0);
            sent += now > 0 ? now : 1;
        }
    }
}
