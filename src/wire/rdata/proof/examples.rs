//! One ordinary example of every type of the table, most of them from the RFC of the type.
//!
//! `named-compilezone` of BIND 9.18 gave the same octets for all but MD and MF, which it refuses as obsolete.

use super::sound;
use crate::wire::Kind;
use crate::wire::rdata::table;

/// The type, its text, its octets, and the text that is written.
const EXAMPLES: &[(Kind, &str, &str, &str)] = &[
    (Kind::A, "192.0.2.1", "c0000201", "192.0.2.1"),
    (Kind::NS, "ns1.Example.net.", "036e7331074578616d706c65036e657400", "ns1.Example.net."),
    (Kind::MD, "mail", "046d61696c076578616d706c6500", "mail.example."),
    (Kind::MF, "mail", "046d61696c076578616d706c6500", "mail.example."),
    (Kind::CNAME, "www", "03777777076578616d706c6500", "www.example."),
    (
        Kind::SOA,
        "ns hostmaster 2026112101 1h 15m 1w 300",
        "026e73076578616d706c65000a686f73746d6173746572076578616d706c650078c4046500000e100000038400093a800000012c",
        "ns.example. hostmaster.example. 2026112101 3600 900 604800 300",
    ),
    (Kind::MB, "host", "04686f7374076578616d706c6500", "host.example."),
    (Kind::MG, "member", "066d656d626572076578616d706c6500", "member.example."),
    (Kind::MR, "new", "036e6577076578616d706c6500", "new.example."),
    (Kind::PTR, "host.example.net.", "04686f7374076578616d706c65036e657400", "host.example.net."),
    (Kind::HINFO, r#"PDP-11/70 "UNIX V7""#, "095044502d31312f373007554e4958205637", r#""PDP-11/70" "UNIX V7""#),
    (
        Kind::MINFO,
        "owner errors",
        "056f776e6572076578616d706c6500066572726f7273076578616d706c6500",
        "owner.example. errors.example.",
    ),
    (Kind::MX, "10 mail", "000a046d61696c076578616d706c6500", "10 mail.example."),
    (Kind::TXT, r#""one string" another"#, "0a6f6e6520737472696e6707616e6f74686572", r#""one string" "another""#),
    (Kind::RP, "admin txt", "0561646d696e076578616d706c650003747874076578616d706c6500", "admin.example. txt.example."),
    (Kind::AFSDB, "1 afs", "000103616673076578616d706c6500", "1 afs.example."),
    (Kind::RT, "10 relay", "000a0572656c6179076578616d706c6500", "10 relay.example."),
    (
        Kind::PX,
        "10 ab.net2.it. o-ab.prmd-net2.admdb.c-it.",
        "000a026162046e65743202697400046f2d61620970726d642d6e6574320561646d646204632d697400",
        "10 ab.net2.it. o-ab.prmd-net2.admdb.c-it.",
    ),
    (Kind::SRV, "0 5 5060 sip", "0000000513c403736970076578616d706c6500", "0 5 5060 sip.example."),
    (
        Kind::NAPTR,
        r#"100 50 "s" "z3950+I2L+I2C" "" _z3950._tcp.gatech.edu."#,
        "0064003201730d7a333935302b49324c2b49324300065f7a33393530045f746370066761746563680365647500",
        r#"100 50 "s" "z3950+I2L+I2C" "" _z3950._tcp.gatech.edu."#,
    ),
    (Kind::KX, "10 kx", "000a026b78076578616d706c6500", "10 kx.example."),
    (
        Kind::DNAME,
        "frobozz-division.acme.example.",
        "1066726f626f7a7a2d6469766973696f6e0461636d65076578616d706c6500",
        "frobozz-division.acme.example.",
    ),
    (
        Kind::SIG,
        "SOA 1 3 4500 19970102030405 19961211100908 2143 foo.nil. AIYADP8d3zYNyQwW2EM4wXVFdslEJcUx",
        "000601030000119432cb25a532ae8844085f03666f6f036e696c000086000cff1ddf360dc90c16d84338c1754576c94425c531",
        "SOA 1 3 4500 19970102030405 19961211100908 2143 foo.nil. AIYADP8d3zYNyQwW2EM4wXVFdslEJcUx",
    ),
    (
        Kind::NXT,
        "medium.foo.tld. A MX SIG NXT",
        "066d656469756d03666f6f03746c640040010082",
        "medium.foo.tld. A MX SIG NXT",
    ),
    (
        Kind::RRSIG,
        "A 5 3 86400 20030322173103 20030220173103 2642 example.com. oJB1W6WNGv+ldvQ3WDG0MQkg5IEhjRip8WTrPYGv07h108dUKGMeDPKijVCHX3DDKdfb+v6oB9wfuh3DTJXUAfI/M0zmO/zz8bW0Rznl8O3tGNazPwQKkRN20XPXV6nwwfoXmJQbsLNrLfkGJ5D6fwFm8nN+6pBzeDQfsS3Ap3o=",
        "00010503000151803e7c9dd73e5510d70a52076578616d706c6503636f6d00a090755ba58d1affa576f4375831b4310920e481218d18a9f164eb3d81afd3b875d3c75428631e0cf2a28d50875f70c329d7dbfafea807dc1fba1dc34c95d401f23f334ce63bfcf3f1b5b44739e5f0eded18d6b33f040a911376d173d757a9f0c1fa1798941bb0b36b2df9062790fa7f0166f2737eea907378341fb12dc0a77a",
        "A 5 3 86400 20030322173103 20030220173103 2642 example.com. oJB1W6WNGv+ldvQ3WDG0MQkg5IEhjRip8WTrPYGv07h108dUKGMeDPKijVCHX3DDKdfb+v6oB9wfuh3DTJXUAfI/M0zmO/zz8bW0Rznl8O3tGNazPwQKkRN20XPXV6nwwfoXmJQbsLNrLfkGJ5D6fwFm8nN+6pBzeDQfsS3Ap3o=",
    ),
    (Kind::NSAP_PTR, "host", "04686f7374076578616d706c6500", "host.example."),
    (
        Kind::NSEC,
        "host.example.com. A MX RRSIG NSEC TYPE1234",
        "04686f7374076578616d706c6503636f6d000006400100000003041b000000000000000000000000000000000000000000000000000020",
        "host.example.com. A MX RRSIG NSEC TYPE1234",
    ),
    (
        Kind::IPSECKEY,
        "10 1 2 192.0.2.38 AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ==",
        "0a0102c0000226010351537986ed35533b6064478eeeb27b5bd74dae149b6e81ba3a0521af82ab7801",
        "10 1 2 192.0.2.38 AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ==",
    ),
    (
        Kind::HIP,
        "2 200100107B1A74DF365639CC39F1D578 AwEAAbdxyhNu rvs",
        "10020009200100107b1a74df365639cc39f1d57803010001b771ca136e03727673076578616d706c6500",
        "2 200100107B1A74DF365639CC39F1D578 AwEAAbdxyhNu rvs.example.",
    ),
    (
        Kind::TALINK,
        "before after",
        "066265666f7265076578616d706c6500056166746572076578616d706c6500",
        "before.example. after.example.",
    ),
    (
        Kind::SVCB,
        "16 foo.example.com. port=53",
        "001003666f6f076578616d706c6503636f6d00000300020035",
        "16 foo.example.com. port=53",
    ),
    (
        Kind::HTTPS,
        "1 . alpn=h2,h3 ipv4hint=192.0.2.1",
        "0001000001000602683202683300040004c0000201",
        r#"1 . alpn="h2,h3" ipv4hint=192.0.2.1"#,
    ),
    (
        Kind::DSYNC,
        "CDS NOTIFY 5359 cds-scanner.example.net.",
        "003b0114ef0b6364732d7363616e6e6572076578616d706c65036e657400",
        "CDS NOTIFY 5359 cds-scanner.example.net.",
    ),
    (Kind::LP, "10 l64-subnet1", "000a0b6c36342d7375626e657431076578616d706c6500", "10 l64-subnet1.example."),
    (Kind::AMTRELAY, "10 0 1 203.0.113.15", "0a01cb00710f", "10 0 1 203.0.113.15"),
    (Kind::WKS, "10.0.0.1 tcp smtp domain", "0a0000010600000040000004", "10.0.0.1 6 25 53"),
    (
        Kind::NSAP,
        "0x47.0005.80.005a00.0000.0001.e133.ffffff000161.00",
        "47000580005a0000000001e133ffffff00016100",
        "0x47000580005A0000000001E133FFFFFF00016100",
    ),
    (Kind::AAAA, "2001:db8::1", "20010db8000000000000000000000001", "2001:db8::1"),
    (
        Kind::LOC,
        "42 21 54 N 71 06 18 W -24m 30m",
        "0033161389172dd070be15f000988d20",
        "42 21 54.000 N 71 6 18.000 W -24.00m 30m 10000m 10m",
    ),
    (
        Kind::APL,
        "1:192.168.32.0/21 !1:192.168.38.0/28",
        "00011503c0a82000011c83c0a826",
        "1:192.168.32.0/21 !1:192.168.38.0/28",
    ),
    (Kind::NID, "10 0014:4fff:ff20:ee64", "000a00144fffff20ee64", "10 0014:4fff:ff20:ee64"),
    (Kind::L32, "10 10.1.2.0", "000a0a010200", "10 10.1.2.0"),
    (Kind::L64, "10 2001:0db8:1140:1000", "000a20010db811401000", "10 2001:0db8:1140:1000"),
    (Kind::EUI48, "00-00-5e-00-53-2a", "00005e00532a", "00-00-5e-00-53-2a"),
    (Kind::EUI64, "00-00-5e-ef-10-00-00-2a", "00005eef1000002a", "00-00-5e-ef-10-00-00-2a"),
    (Kind::X25, "311061700956", "0c333131303631373030393536", r#""311061700956""#),
    (Kind::ISDN, "150862028003217 004", "0f31353038363230323830303332313703303034", r#""150862028003217" "004""#),
    (
        Kind::GPOS,
        "-32.6882 116.8652 10.0",
        "082d33322e36383832083131362e383635320431302e30",
        r#""-32.6882" "116.8652" "10.0""#,
    ),
    (Kind::NINFO, r#""zone is fine""#, "0c7a6f6e652069732066696e65", r#""zone is fine""#),
    (Kind::SPF, r#""v=spf1 -all""#, "0b763d73706631202d616c6c", r#""v=spf1 -all""#),
    (
        Kind::URI,
        r#"10 1 "ftp://ftp1.example.com/public""#,
        "000a00016674703a2f2f667470312e6578616d706c652e636f6d2f7075626c6963",
        r#"10 1 "ftp://ftp1.example.com/public""#,
    ),
    (
        Kind::CAA,
        r#"0 issue "letsencrypt.org""#,
        "000569737375656c657473656e63727970742e6f7267",
        r#"0 issue "letsencrypt.org""#,
    ),
    (
        Kind::AVC,
        r#""app-name:WOLFGANG|app-class:OAM""#,
        "1f6170702d6e616d653a574f4c4647414e477c6170702d636c6173733a4f414d",
        r#""app-name:WOLFGANG|app-class:OAM""#,
    ),
    (
        Kind::RESINFO,
        "qnamemin exterr=15-17 infourl=https://resolver.example.com/guide",
        "08716e616d656d696e0c6578746572723d31352d31372a696e666f75726c3d68747470733a2f2f7265736f6c7665722e6578616d706c652e636f6d2f6775696465",
        r#""qnamemin" "exterr=15-17" "infourl=https://resolver.example.com/guide""#,
    ),
    (Kind::WALLET, "ETH 0x1", "0345544803307831", r#""ETH" "0x1""#),
    (
        Kind::KEY,
        "256 3 5 AQPSKmynfzW4kyBv015MUG2DeIQ3",
        "010003050103d22a6ca77f35b893206fd35e4c506d83788437",
        "256 3 5 AQPSKmynfzW4kyBv015MUG2DeIQ3",
    ),
    (Kind::RKEY, "0 3 5 AQID", "00000305010203", "0 3 5 AQID"),
    (
        Kind::DNSKEY,
        "257 3 ECDSAP256SHA256 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==",
        "0101030d99db2cc14cabdc33d6d77da63a2f15f71112584f234e8d1dc428e39e8a4a97e1aa271a555dc90701e17e2a4c4b6f120b7c32d44f4ac02bd894cf2d4be7778a19",
        "257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==",
    ),
    (Kind::CDNSKEY, "0 3 0 AA==", "0000030000", "0 3 0 AA=="),
    (
        Kind::DS,
        "60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118",
        "ec4505012bb183af5f22588179a53b0a98631fad1a292118",
        "60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118",
    ),
    (Kind::CDS, "0 0 0 00", "0000000000", "0 0 0 00"),
    (
        Kind::TA,
        "60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118",
        "ec4505012bb183af5f22588179a53b0a98631fad1a292118",
        "60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118",
    ),
    (
        Kind::DLV,
        "60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118",
        "ec4505012bb183af5f22588179a53b0a98631fad1a292118",
        "60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118",
    ),
    (
        Kind::NSEC3,
        "1 1 12 aabbccdd 2vptu5timamqttgl4luu9kg21e0aor3s A RRSIG",
        "0101000c04aabbccdd1417f3df17b2b2adaef615257de4d2020b80ac6c7c0006400000000002",
        "1 1 12 AABBCCDD 2VPTU5TIMAMQTTGL4LUU9KG21E0AOR3S A RRSIG",
    ),
    (Kind::NSEC3PARAM, "1 0 12 aabbccdd", "0100000c04aabbccdd", "1 0 12 AABBCCDD"),
    (Kind::CSYNC, "66 3 A NS AAAA", "000000420003000460000008", "66 3 A NS AAAA"),
    (
        Kind::ZONEMD,
        "2018031900 1 241 c68090d90a7aed716bc459f9",
        "7848b91c01f1c68090d90a7aed716bc459f9",
        "2018031900 1 241 C68090D90A7AED716BC459F9",
    ),
    (Kind::CERT, "PKIX 1 RSASHA256 AAEC", "0001000108000102", "1 1 8 AAEC"),
    (
        Kind::SSHFP,
        "2 1 123456789abcdef67890123456789abcdef67890",
        "0201123456789abcdef67890123456789abcdef67890",
        "2 1 123456789ABCDEF67890123456789ABCDEF67890",
    ),
    (
        Kind::TLSA,
        "3 1 1 d2abde240d7cd3ee6b4b28c54df034b97983a1d16e8a410e4561cb106618e971",
        "030101d2abde240d7cd3ee6b4b28c54df034b97983a1d16e8a410e4561cb106618e971",
        "3 1 1 D2ABDE240D7CD3EE6B4B28C54DF034B97983A1D16E8A410E4561CB106618E971",
    ),
    (Kind::SMIMEA, "3 0 0 308202c5", "030000308202c5", "3 0 0 308202C5"),
    (
        Kind::DHCID,
        "AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA=",
        "000201636fc0b8271c82825bb1ac5c41cf5351aa69b4febd94e8f17cdb95000da48c40",
        "AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA=",
    ),
    (Kind::OPENPGPKEY, "AAECAw==", "00010203", "AAECAw=="),
];

#[test]
fn every_type_has_an_example_that_holds() {
    for (kind, text, hex, back) in EXAMPLES {
        sound(*kind, text, hex, back);
    }
    let mut shown: Vec<Kind> = EXAMPLES.iter().map(|example| example.0).collect();
    let mut known = table::KNOWN.to_vec();
    shown.sort_unstable();
    known.sort_unstable();
    assert_eq!(shown, known);
}
