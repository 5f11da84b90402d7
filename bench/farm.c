/* A farm of simulated devices for the benchmarks: every address 127.x.y.z on one UDP port is an SNMP v2c agent.

     farm TABLE.snmprec PORT [--dead PERMILLE] [--loss PERMILLE] [--delay MS] [--trace FILE] [--seed N]

   All devices serve the table (lines OID|TAG|VALUE, in order); counters of 1,000 or more and clocks move with time and
   differ by address.
   An answer holds at most 1,400 bytes of varbinds and leaves from the address that was asked. One thread.

   The farm is also the line in front of it: --loss drops that share of the packets, in each direction; --delay holds every
   answer back; --dead is the share of addresses that never answer (is_dead, which the Python side repeats). --trace
   writes a record for each request (struct record).

   Prints "ready" when it listens and its counts when it is terminated. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_ARCS = 128, MAX_ROWS = 65536, MAX_PICKS = 2048, MAX_ROOTS = 128, BODY = 1400, BATCH = 64, PACKET = 2048, HELD = 65536 };
enum { INTEGER = 2, OCTETS = 4, OID = 6, SEQUENCE = 0x30, IP = 0x40, COUNTER32 = 0x41, GAUGE32 = 0x42, TICKS = 0x43, COUNTER64 = 0x46 };
enum { GET = 0xA0, GET_NEXT = 0xA1, RESPONSE = 0xA2, GET_BULK = 0xA5, NO_SUCH_OBJECT = 0x80, END_OF_VIEW = 0x82, TOO_BIG = 1 };

struct row {
    uint32_t arcs[MAX_ARCS];
    int n;
    uint8_t *name; /* the OID element */
    int name_length;
    uint8_t tag;
    uint8_t *value; /* the content of a value that stands still */
    int value_length;
    uint64_t base, rate, mask; /* a value that moves: base + rate a second, cut to mask; mask 0: it stands still */
};

struct pick { /* one varbind of an answer */
    const uint8_t *name, *value;
    int name_length, value_length;
    uint8_t tag, moved[9];
};

struct answer { /* held back until `due` */
    double due;
    struct sockaddr_in to;
    struct in_addr from;
    int length;
    uint8_t *data;
};

struct record { /* one request: when it came (CLOCK_MONOTONIC), whom it asked, its size and the answer's (0: none left), and how
                   the content of the first name it asks begins */
    double time;
    uint32_t address;
    uint16_t asked, answered;
    uint8_t first[8];
};

static struct row *rows;
static int row_count;
static double now, started;
static uint32_t whom; /* the address asked, host order */
static uint8_t first_name[8];
static uint64_t random_state = 88172645463325252ull;

static uint64_t next_random(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    return random_state ^= random_state << 17;
}

static int is_lost(int permille) { return permille && next_random() % 1000 < (uint64_t)permille; }

static int is_dead(uint32_t address, int permille) { return ((address * 2654435761u) >> 16) % 1000 < (uint32_t)permille; }

static double clock_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

/* BER. Readers return the start of the content and move *p behind the element, or 0. */

static const uint8_t *element(const uint8_t **p, const uint8_t *end, int *tag, int *length) {
    const uint8_t *q = *p;
    if (end - q < 2) return 0;
    *tag = *q++;
    int n = *q++;
    if (n & 0x80) {
        int k = n & 0x7F;
        if (k < 1 || k > 2 || end - q < k) return 0;
        for (n = 0; k--;) n = n << 8 | *q++;
    }
    if (end - q < n) return 0;
    *length = n;
    *p = q + n;
    return q;
}

static int integer(const uint8_t **p, const uint8_t *end, long *value) {
    int tag, length;
    const uint8_t *q = element(p, end, &tag, &length);
    if (!q || tag != INTEGER || length < 1 || length > 8) return 0;
    *value = (int8_t)*q++;
    while (--length) *value = *value * 256 + *q++;
    return 1;
}

static int arcs_of(const uint8_t *p, int length, uint32_t *arcs) {
    int n = 0;
    uint32_t arc = 0;
    for (int i = 0; i < length && n < MAX_ARCS - 1; i++) {
        arc = arc << 7 | (p[i] & 0x7F);
        if (p[i] & 0x80) continue;
        if (!n) {
            uint32_t first = arc < 80 ? arc / 40 : 2;
            arcs[n++] = first;
            arc -= first * 40;
        }
        arcs[n++] = arc;
        arc = 0;
    }
    return n;
}

static uint8_t *header_before(uint8_t *p, int tag, int length) {
    if (length < 128) {
        *--p = length;
    } else if (length < 256) {
        *--p = length;
        *--p = 0x81;
    } else {
        *--p = length & 0xFF;
        *--p = length >> 8;
        *--p = 0x82;
    }
    *--p = tag;
    return p;
}

static int unsigned_content(uint64_t value, uint8_t *out) { /* shortest form, with a leading zero where the top bit is set */
    int n = 1;
    while (n < 9 && (n < 8 ? value >> (8 * n - 1) : n == 8 ? value >> 63 : 0)) n++;
    for (int i = 0; i < n; i++) out[i] = n - 1 - i > 7 ? 0 : value >> (8 * (n - 1 - i)) & 0xFF;
    return n;
}

static int compare(const uint32_t *a, int na, const uint32_t *b, int nb) {
    for (int i = 0; i < na && i < nb; i++)
        if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
    return na - nb;
}

/* The first row at or (exact found: *exact = 1) after an OID. */
static int find(const uint32_t *arcs, int n, int *exact) {
    int low = 0, high = row_count;
    while (low < high) {
        int middle = (low + high) / 2;
        if (compare(rows[middle].arcs, rows[middle].n, arcs, n) < 0) low = middle + 1;
        else high = middle;
    }
    *exact = low < row_count && !compare(rows[low].arcs, rows[low].n, arcs, n);
    return low;
}

static int size_of(const struct pick *p) {
    int n = p->name_length + p->value_length + (p->value_length < 128 ? 2 : p->value_length < 256 ? 3 : 4);
    return n + (n < 128 ? 2 : n < 256 ? 3 : 4);
}

static void pick_row(struct pick *p, const struct row *row) {
    p->name = row->name;
    p->name_length = row->name_length;
    p->tag = row->tag;
    p->value = row->value;
    p->value_length = row->value_length;
    if (!row->mask) return;
    uint64_t value = row->base + (uint64_t)((now - started) * row->rate) + (whom & 0x3FF);
    p->value_length = unsigned_content(value & row->mask, p->moved);
    p->value = p->moved;
}

/* The answer to one request, written to the end of `buffer`: its start in *out, its length returned; 0: no answer. */
static int respond(const uint8_t *in, int length, uint8_t *buffer, int size, uint8_t **out) {
    static struct pick picks[MAX_PICKS];
    static struct { const uint8_t *name; int name_length, at, exact; } roots[MAX_ROOTS];
    const uint8_t *p = in, *end = in + length;
    int tag, n, type;
    long version, id, first, second;

    if (!(p = element(&p, end, &tag, &n)) || tag != SEQUENCE) return 0;
    end = p + n;
    const uint8_t *head = p; /* version and community, which the answer repeats */
    if (!integer(&p, end, &version) || version != 1) return 0;
    const uint8_t *community = element(&p, end, &tag, &n);
    if (!community || tag != OCTETS || n != 6 || memcmp(community, "public", 6)) return 0;
    int head_length = p - head;
    const uint8_t *pdu = element(&p, end, &type, &n);
    if (!pdu || (type != GET && type != GET_NEXT && type != GET_BULK)) return 0;
    end = pdu + n;
    p = pdu;
    if (!integer(&p, end, &id)) return 0;
    int id_length = p - pdu;
    if (!integer(&p, end, &first) || !integer(&p, end, &second)) return 0;
    const uint8_t *bindings = element(&p, end, &tag, &n);
    if (!bindings || tag != SEQUENCE) return 0;

    int root_count = 0;
    for (const uint8_t *b = bindings, *stop = bindings + n; b < stop && root_count < MAX_ROOTS; root_count++) {
        int m;
        const uint8_t *binding = element(&b, stop, &tag, &m), *q = binding;
        if (!binding || tag != SEQUENCE) return 0;
        const uint8_t *content = element(&q, binding + m, &tag, &m);
        if (!content || tag != OID) return 0;
        if (!root_count) memcpy(first_name, content, m < 8 ? m : 8);
        uint32_t arcs[MAX_ARCS];
        int found = arcs_of(content, m, arcs), exact;
        int at = find(arcs, found, &exact);
        roots[root_count].name = binding;
        roots[root_count].name_length = q - binding;
        roots[root_count].at = at + (type != GET && exact);
        roots[root_count].exact = exact;
    }

    int singles = type != GET_BULK ? root_count : first < 0 ? 0 : first < root_count ? first : root_count;
    int repetitions = type == GET_BULK && second > 0 ? second : 0;
    int count = 0, body = 0, status = 0;
    for (int r = 0; r < 1 + repetitions && count + root_count < MAX_PICKS; r++) {
        for (int k = r ? singles : 0; k < (r ? root_count : singles); k++) {
            struct pick *pick = &picks[count];
            int at = roots[k].at + (r ? r - 1 : 0);
            if (type == GET ? roots[k].exact : at < row_count) {
                pick_row(pick, rows + at);
            } else {
                int stepped = r > 1 && roots[k].at < row_count; /* the name is that of the repetition before (RFC 3416, 4.2.3) */
                pick->name = stepped ? rows[row_count - 1].name : roots[k].name;
                pick->name_length = stepped ? rows[row_count - 1].name_length : roots[k].name_length;
                pick->tag = type == GET ? NO_SUCH_OBJECT : END_OF_VIEW;
                pick->value_length = 0;
            }
            if (body + size_of(pick) > BODY) {
                if (type != GET_BULK || !count) status = TOO_BIG, count = body = 0;
                goto picked;
            }
            body += size_of(pick);
            count++;
        }
    }
picked:;
    uint8_t *w = buffer + size, *stop = w;
    while (count--) {
        struct pick *pick = &picks[count];
        uint8_t *last = w;
        w -= pick->value_length;
        if (pick->value_length) memcpy(w, pick->value, pick->value_length);
        w = header_before(w, pick->tag, pick->value_length);
        w -= pick->name_length;
        memcpy(w, pick->name, pick->name_length);
        w = header_before(w, SEQUENCE, last - w);
    }
    w = header_before(w, SEQUENCE, stop - w);
    *--w = 0, *--w = 1, *--w = INTEGER;
    *--w = status, *--w = 1, *--w = INTEGER;
    w -= id_length;
    memcpy(w, pdu, id_length);
    w = header_before(w, RESPONSE, stop - w);
    w -= head_length;
    memcpy(w, head, head_length);
    w = header_before(w, SEQUENCE, stop - w);
    *out = w;
    return stop - w;
}

/* The table. */

static int oid_content(const uint32_t *arcs, int n, uint8_t *out) {
    int length = 0;
    for (int i = 1; i < n; i++) {
        uint32_t arc = i == 1 ? arcs[0] * 40 + arcs[1] : arcs[i];
        for (int shift = 28; shift; shift -= 7)
            if (arc >> shift) out[length++] = 0x80 | (arc >> shift & 0x7F);
        out[length++] = arc & 0x7F;
    }
    return length;
}

static int parse_oid(const char *text, uint32_t *arcs) {
    int n = 0;
    while (*text >= '0' && *text <= '9' && n < MAX_ARCS) {
        char *after;
        arcs[n++] = strtoul(text, &after, 10);
        text = *after == '.' ? after + 1 : after;
    }
    return n;
}

static void keep(struct row *row, const void *value, int length) {
    row->value = memcpy(malloc(length + 1), value, length);
    row->value_length = length;
}

static void read_row(char *line, int number) {
    struct row *row = &rows[row_count];
    uint8_t content[MAX_ARCS * 5];
    char *tag = strchr(line, '|'), *value = tag ? strchr(tag + 1, '|') : 0;
    if (!value || row_count == MAX_ROWS) {
        fprintf(stderr, "line %d: expected OID|TAG|VALUE\n", number);
        exit(2);
    }
    *tag++ = *value++ = 0;
    value[strcspn(value, "\r\n")] = 0;
    row->n = parse_oid(line, row->arcs);
    int length = oid_content(row->arcs, row->n, content);
    uint8_t *name = malloc(length + 2);
    name[0] = OID, name[1] = length;
    memcpy(name + 2, content, length);
    row->name = name;
    row->name_length = length + 2;
    int hex = strchr(tag, 'x') != 0;
    row->tag = atoi(tag);
    if (row->tag == OID) {
        uint32_t arcs[MAX_ARCS];
        length = oid_content(arcs, parse_oid(value, arcs), content);
        keep(row, content, length);
    } else if (hex) {
        uint8_t *bytes = malloc(strlen(value) / 2 + 1);
        for (length = 0; value[2 * length] && value[2 * length + 1]; length++) sscanf(value + 2 * length, "%2hhx", bytes + length);
        keep(row, bytes, length);
        free(bytes);
    } else if (row->tag == OCTETS) {
        keep(row, value, strlen(value));
    } else if (row->tag == IP) {
        struct in_addr address = {0};
        inet_aton(value, &address);
        keep(row, &address, 4);
    } else {
        long long signed_value = strtoll(value, 0, 10);
        uint64_t number_value = strtoull(value, 0, 10);
        uint8_t bytes[9];
        if (row->tag == INTEGER && signed_value < 0) {
            for (int i = 0; i < 4; i++) bytes[i] = signed_value >> (8 * (3 - i)) & 0xFF;
            keep(row, bytes, 4);
        } else {
            keep(row, bytes, unsigned_content(number_value, bytes));
        }
        if (row->tag == COUNTER32 || row->tag == COUNTER64 || row->tag == TICKS) {
            /* clocks tick, but not those that tell when something last changed: they stand at 0; errors stay rare */
            uint64_t rate = row->tag == TICKS ? 100 : 1000 + 977 * (row_count % 61);
            int moves = number_value >= 1000;
            row->base = number_value;
            row->rate = moves ? rate : 0;
            row->mask = !moves ? 0 : row->tag == COUNTER64 ? ~0ull : 0xFFFFFFFFull;
        }
    }
    if (row_count && compare(row->arcs, row->n, rows[row_count - 1].arcs, rows[row_count - 1].n) <= 0) {
        fprintf(stderr, "line %d: not in order\n", number);
        exit(2);
    }
    row_count++;
}

static volatile sig_atomic_t stopping;
static void stop(int signal) { (void)signal, stopping = 1; }

static void send_from(int fd, struct sockaddr_in *to, struct in_addr from, uint8_t *data, int length) {
    union { char bytes[CMSG_SPACE(sizeof(struct in_pktinfo))]; struct cmsghdr align; } control = {0};
    struct iovec vector = {data, length};
    struct msghdr message = {to, sizeof *to, &vector, 1, control.bytes, sizeof control.bytes, 0};
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = IPPROTO_IP, c->cmsg_type = IP_PKTINFO, c->cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo));
    ((struct in_pktinfo *)CMSG_DATA(c))->ipi_spec_dst = from;
    sendmsg(fd, &message, 0);
}

int main(int count, char **words) {
    static const struct option options[] = {{"dead", 1, 0, 'd'}, {"loss", 1, 0, 'l'}, {"delay", 1, 0, 'w'},
                                            {"trace", 1, 0, 't'}, {"seed", 1, 0, 's'}, {0, 0, 0, 0}};
    int dead = 0, loss = 0, option;
    double delay = 0;
    FILE *trace = 0;
    while ((option = getopt_long(count, words, "", options, 0)) != -1) {
        if (option == 'd') dead = atoi(optarg);
        else if (option == 'l') loss = atoi(optarg);
        else if (option == 'w') delay = atof(optarg) / 1000;
        else if (option == 's') random_state ^= strtoull(optarg, 0, 10) * 0x9E3779B97F4A7C15ull;
        else if (option != 't' || !(trace = fopen(optarg, "wb"))) return 2;
    }
    if (count - optind != 2) {
        fprintf(stderr, "usage: farm TABLE.snmprec PORT [--dead PERMILLE] [--loss PERMILLE] [--delay MS] [--trace FILE] [--seed N]\n");
        return 2;
    }
    FILE *table = fopen(words[optind], "r");
    if (!table) return perror(words[optind]), 2;
    rows = calloc(MAX_ROWS, sizeof *rows);
    char line[8192];
    for (int number = 1; fgets(line, sizeof line, table); number++) read_row(line, number);
    fclose(table);

    int fd = socket(AF_INET, SOCK_DGRAM, 0), one = 1, bytes = 8 << 20;
    setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3); /* where it is not permitted, the check of the address below does */
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes)) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes)) setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(words[optind + 1]))};
    if (bind(fd, (void *)&address, sizeof address)) return perror("bind"), 1;
    struct sigaction action = {.sa_handler = stop};
    sigaction(SIGTERM, &action, 0);
    sigaction(SIGINT, &action, 0);
    started = clock_now();
    puts("ready");
    fflush(stdout);

    static struct mmsghdr in[BATCH], ready[BATCH];
    static struct iovec in_vector[BATCH], out_vector[BATCH];
    static struct sockaddr_in from[BATCH];
    static uint8_t packet[BATCH][PACKET], buffer[BATCH][PACKET];
    static union { char bytes[CMSG_SPACE(sizeof(struct in_pktinfo))]; struct cmsghdr align; } control[BATCH];
    struct answer *held = calloc(HELD, sizeof *held);
    unsigned long long oldest = 0, newest = 0, requests = 0, answers = 0;

    while (!stopping) {
        if (delay) {
            for (now = clock_now(); oldest < newest && held[oldest % HELD].due <= now; oldest++) {
                struct answer *a = &held[oldest % HELD];
                send_from(fd, &a->to, a->from, a->data, a->length);
                free(a->data);
            }
            struct timespec patience = {1, 0};
            if (oldest < newest) {
                double left = held[oldest % HELD].due - now;
                patience.tv_sec = left, patience.tv_nsec = (left - (long)left) * 1e9;
            }
            struct pollfd waiting = {fd, POLLIN, 0};
            if (ppoll(&waiting, 1, &patience, 0) <= 0) continue;
        }
        for (int i = 0; i < BATCH; i++) {
            in_vector[i] = (struct iovec){packet[i], PACKET};
            in[i].msg_hdr = (struct msghdr){&from[i], sizeof from[i], &in_vector[i], 1, control[i].bytes, sizeof control[i].bytes, 0};
        }
        int got = recvmmsg(fd, in, BATCH, delay ? MSG_DONTWAIT : MSG_WAITFORONE, 0), sending = 0;
        if (got <= 0) continue;
        now = clock_now();
        for (int i = 0; i < got; i++) {
            struct cmsghdr *c = CMSG_FIRSTHDR(&in[i].msg_hdr);
            if (!c || c->cmsg_type != IP_PKTINFO) continue;
            struct in_pktinfo *info = (void *)CMSG_DATA(c);
            whom = ntohl(info->ipi_addr.s_addr);
            if (whom >> 24 != 127) continue;
            requests++;
            uint8_t *data;
            memset(first_name, 0, sizeof first_name);
            int gone = is_dead(whom, dead) || is_lost(loss);
            int length = gone && !trace ? 0 : respond(packet[i], in[i].msg_len, buffer[i], PACKET, &data);
            if (gone || (length && is_lost(loss))) length = 0;
            if (trace) {
                struct record record = {now, whom, in[i].msg_len, length};
                memcpy(record.first, first_name, sizeof record.first);
                fwrite(&record, sizeof record, 1, trace);
            }
            if (!length) continue;
            answers++;
            if (delay) {
                if (newest - oldest == HELD) continue;
                struct answer *a = &held[newest++ % HELD];
                *a = (struct answer){now + delay, from[i], info->ipi_addr, length, memcpy(malloc(length), data, length)};
                continue;
            }
            info->ipi_spec_dst = info->ipi_addr;
            info->ipi_ifindex = 0;
            out_vector[sending] = (struct iovec){data, length};
            ready[sending].msg_hdr = in[i].msg_hdr;
            ready[sending].msg_hdr.msg_iov = &out_vector[sending];
            sending++;
        }
        for (int sent = 0, n; sent < sending; sent += n)
            if ((n = sendmmsg(fd, ready + sent, sending - sent, 0)) <= 0) break;
    }
    if (trace) fclose(trace);
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    printf("%llu requests, %llu answers, %.2f CPU-seconds\n", requests, answers,
           used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
    return 0;
}
