"""The zones and queries of the comparison, made from fixed seeds, so that every machine measures the same.

`small` is one zone of about a hundred records of every common kind, `big` one zone of a million names, `many` a
hundred thousand zones of five records. The queries are 70 % addresses that exist, 10 % aliases, 5 % MX, TXT or SRV,
10 % names that do not exist and 5 % below a delegation; names are drawn evenly, which is unkind to caches.
Everything is made once and kept.
"""

import os
import random
import struct

KINDS = {"A": 1, "NS": 2, "SOA": 6, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "CAA": 257}
LETTERS = "abcdefghijklmnopqrstuvwxyz"
LETTERS_AND_DIGITS = LETTERS + "0123456789"
FLOOD_QUERIES = 50_000


def label(dice, shortest=5, longest=12):
    rest = dice.randrange(shortest, longest)
    return dice.choice(LETTERS) + "".join(dice.choice(LETTERS_AND_DIGITS) for _ in range(rest))


def ipv4(dice):
    return f"10.{dice.randrange(256)}.{dice.randrange(256)}.{dice.randrange(1, 255)}"


def ipv6(dice):
    return f"2001:db8:{dice.randrange(65536):x}::{dice.randrange(1, 65536):x}"


def head(zone):
    return (
        f"$ORIGIN {zone}.\n$TTL 3600\n"
        f"@ 3600 IN SOA ns1 hostmaster 2026010101 7200 3600 1209600 300\n"
        f"@ IN NS ns1\n@ IN NS ns2\nns1 IN A 127.0.0.1\nns2 IN A 127.0.0.2\n"
    )


def query(name, kind, identifier=0):
    """A query message without EDNS."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.rstrip(".").split("."))
    return struct.pack(">HHHHHH", identifier, 0, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", KINDS[kind], 1)


class Asked:
    """What can be asked of a zone, by what comes back."""

    def __init__(self):
        self.addresses, self.aliases, self.others, self.delegations = [], [], [], []

    def mix(self, dice, count, missing):
        """The realistic mix; `missing` makes a name that does not exist."""
        for _ in range(count):
            share = dice.random()
            if share < 0.70:
                yield dice.choice(self.addresses)
            elif share < 0.80:
                yield dice.choice(self.aliases), "A"
            elif share < 0.85:
                yield dice.choice(self.others)
            elif share < 0.95:
                yield missing(dice), "A" if dice.random() < 0.8 else "AAAA"
            else:
                yield f"{label(dice)}.{dice.choice(self.delegations)}", "A"


def write_queries(folder, name, queries):
    """The form that load.c reads: two octets of length, little end first, and the message."""
    with open(os.path.join(folder, name), "wb") as file:
        for owner, kind in queries:
            message = query(owner, kind)
            file.write(struct.pack("<H", len(message)) + message)


def with_cookies(folder):
    """The mix where each query brings a client cookie, as resolvers do (RFC 7873)."""
    if os.path.exists(os.path.join(folder, "cookies")):
        return
    option = bytes([0, 10, 0, 8]) + bytes(range(1, 9))
    extra = b"\0" + struct.pack(">HHIH", 41, 1232, 0, len(option)) + option
    with open(os.path.join(folder, "mix"), "rb") as file:
        octets = file.read()
    at, messages = 0, []
    while at < len(octets):
        length = struct.unpack_from("<H", octets, at)[0]
        message = octets[at + 2 : at + 2 + length]
        at += 2 + length
        message = message[:10] + b"\0\1" + message[12:] + extra  # one additional record
        messages.append(struct.pack("<H", len(message)) + message)
    with open(os.path.join(folder, "cookies"), "wb") as file:
        file.write(b"".join(messages))


def flood(dice, zones, count=FLOOD_QUERIES):
    """Names of twelve random letters; load.c draws new ones in every query."""
    for _ in range(count):
        yield "".join(dice.choice(LETTERS_AND_DIGITS) for _ in range(12)) + "." + dice.choice(zones), "A"


def make_small(folder):
    zone, dice, asked = "small.test", random.Random(1), Asked()
    lines = [
        head(zone),
        "@ IN A 192.0.2.10\n@ IN AAAA 2001:db8::10\n@ IN MX 10 mail\n@ IN MX 20 mail2\n",
        '@ IN TXT "v=spf1 mx -all"\n@ IN CAA 0 issue "ca.example"\n',
        "mail IN A 192.0.2.25\nmail2 IN A 192.0.2.26\nmail IN AAAA 2001:db8::25\n",
        "c1 IN CNAME c2\nc2 IN CNAME c3\nc3 IN CNAME host00\nout IN CNAME www.example.org.\n",
        "_sip._tcp IN SRV 10 60 5060 host01\n_imaps._tcp IN SRV 10 10 993 mail\n",
        '*.wild IN A 192.0.2.77\n*.wild IN TXT "wild"\na.b.ent IN A 192.0.2.78\n',
        "rr IN A 192.0.2.81\nrr IN A 192.0.2.82\nrr IN A 192.0.2.83\n",
    ]
    asked.addresses += [(zone, "A"), (zone, "AAAA"), (f"mail.{zone}", "A"), (f"mail.{zone}", "AAAA")]
    asked.addresses += [(f"{name}.{zone}", "A") for name in ("a.b.ent", "b.ent", "rr", "w0.wild", "w1.wild", "w2.wild")]
    asked.aliases += [f"c1.{zone}", f"out.{zone}"]
    asked.others += [(zone, "MX"), (zone, "TXT"), (zone, "CAA")]
    asked.others += [(f"_sip._tcp.{zone}", "SRV"), (f"_imaps._tcp.{zone}", "SRV")]
    for number in range(30):
        lines.append(f"host{number:02} IN A {ipv4(dice)}\n")
        asked.addresses.append((f"host{number:02}.{zone}", "A"))
        if number % 3 == 0:
            lines.append(f"host{number:02} IN AAAA {ipv6(dice)}\n")
            asked.addresses.append((f"host{number:02}.{zone}", "AAAA"))
    for number in range(10):
        lines.append(f"www{number} IN CNAME host{number:02}\n")
        asked.aliases.append(f"www{number}.{zone}")
    for number in range(6):
        lines.append(f"sub{number} IN NS ns1.sub{number}\nsub{number} IN NS ns2.sub{number}\n")
        lines.append(f"ns1.sub{number} IN A 192.0.2.{100 + number}\nns2.sub{number} IN A 192.0.2.{110 + number}\n")
        asked.delegations.append(f"sub{number}.{zone}")
    for number in range(5):
        lines.append(f'txt{number} IN TXT "{"x" * (20 + 40 * number)}"\n')
        asked.others.append((f"txt{number}.{zone}", "TXT"))
    with open(os.path.join(folder, "zones", zone + ".zone"), "w") as file:
        file.writelines(lines)
    dice = random.Random(2)
    write_queries(folder, "mix", asked.mix(dice, 50_000, lambda dice: f"{label(dice)}.{zone}"))
    write_queries(folder, "flood", flood(dice, [zone]))
    return [zone]


def make_big(folder, names=1_000_000):
    zone, dice, asked = "big.test", random.Random(3), Asked()
    parents = [label(dice, 3, 8) for _ in range(200)]
    seen, target = set(), "ns1"
    with open(os.path.join(folder, "zones", zone + ".zone"), "w") as file:
        file.write(head(zone))
        while len(seen) < names:
            owner = label(dice, 5, 14) + (f".{dice.choice(parents)}" if dice.random() < 0.3 else "")
            if owner in seen:
                continue
            seen.add(owner)
            share, full = dice.random(), f"{owner}.{zone}"
            if share < 0.85:
                file.write(f"{owner} A {ipv4(dice)}\n")
                asked.addresses.append((full, "A"))
                target = owner
                if share < 0.085:
                    file.write(f"{owner} AAAA {ipv6(dice)}\n")
                    asked.addresses.append((full, "AAAA"))
            elif share < 0.93:
                file.write(f"{owner} CNAME {target}\n")
                asked.aliases.append(full)
            elif share < 0.96:
                file.write(f"{owner} MX 10 {target}\n")
                asked.others.append((full, "MX"))
            elif share < 0.98:
                file.write(f'{owner} TXT "token={dice.randrange(1 << 40)}"\n')
                asked.others.append((full, "TXT"))
            else:
                file.write(f"{owner} NS ns1.{owner}\n{owner} NS ns2.{owner}\n")
                file.write(f"ns1.{owner} A 192.0.2.53\nns2.{owner} A 192.0.2.54\n")
                asked.delegations.append(full)
    dice = random.Random(4)
    write_queries(folder, "mix", asked.mix(dice, names, lambda dice: f"{label(dice)}.{zone}"))
    write_queries(folder, "flood", flood(dice, [zone]))
    return [zone]


def make_many(folder, count=100_000):
    dice = random.Random(5)
    zones = [f"{label(dice, 2, 8)}{number:05}.test" for number in range(count)]
    for zone in zones:
        with open(os.path.join(folder, "zones", zone + ".zone"), "w") as file:
            file.write(
                f"$ORIGIN {zone}.\n$TTL 3600\n@ IN SOA ns1 hostmaster 2026010101 7200 3600 1209600 300\n"
                f"@ IN NS ns1\n@ IN A {ipv4(dice)}\nns1 IN A 127.0.0.1\nwww IN CNAME @\n"
            )
    dice = random.Random(6)
    write_queries(folder, "mix", mix_of_many(dice, zones, 500_000))
    write_queries(folder, "flood", flood(dice, zones, 200_000))
    return zones


def mix_of_many(dice, zones, count):
    for _ in range(count):
        share, zone = dice.random(), dice.choice(zones)
        if share < 0.70:
            yield zone if share < 0.60 else f"ns1.{zone}", "A"
        elif share < 0.80:
            yield f"www.{zone}", "A"
        elif share < 0.85:
            yield zone, dice.choice(("MX", "TXT", "NS"))
        elif share < 0.95:
            yield f"{label(dice)}.{zone}", "A"
        else:
            yield zone, "SOA"


MAKERS = {"small": make_small, "big": make_big, "many": make_many}


def zone_set(work, name):
    """The folder of a set, made if it is not there, and the names of its zones."""
    folder = os.path.join(work, "sets", name)
    done = os.path.join(folder, "names")
    if not os.path.exists(done):
        os.makedirs(os.path.join(folder, "zones"), exist_ok=True)
        print(f"making the set {name}", flush=True)
        zones = MAKERS[name](folder)
        with open(done + ".new", "w") as file:
            file.write("\n".join(zones) + "\n")
        os.rename(done + ".new", done)
    with_cookies(folder)
    with open(done) as file:
        return folder, file.read().split()
