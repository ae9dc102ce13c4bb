//! Which addresses are dialled: public unicast ones, and nothing else.
//!
//! The tables follow the IANA special-purpose address registries (RFC 6890 and its updates). `std`'s own predicates are
//! not enough: they say `false` for `::ffff:127.0.0.1`, `64:ff9b::/96`, `2002::/16` and more.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The class of an address that is not dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AddressClass {
    /// Unspecified: `0.0.0.0/8`, `::`.
    Unspecified,
    /// Loopback: `127.0.0.0/8`, `::1`.
    Loopback,
    /// RFC 1918, unique local `fc00::/7`, the retired site-local `fec0::/10`.
    Private,
    /// Carrier-grade NAT, `100.64.0.0/10`.
    SharedByCarrier,
    /// `169.254.0.0/16`, `fe80::/10`: the metadata services of clouds among them.
    LinkLocal,
    /// The virtual address of a cloud's own services outside the link-local range (Azure's `168.63.129.16`).
    CloudService,
    /// Protocol assignments, benchmarking, discard-only, segment routing.
    Special,
    /// Reserved for examples: `192.0.2.0/24`, `2001:db8::/32`.
    Documentation,
    /// Multicast: `224.0.0.0/4`, `ff00::/8`.
    Multicast,
    /// `240.0.0.0/4`, and everything in IPv6 that is not global unicast.
    Reserved,
    /// An IPv6 form that holds an IPv4 address: mapped, compatible, NAT64, 6to4, Teredo.
    EmbedsIpv4,
    /// One of this machine's own, public or not. No table knows those; they are found out when a host is dialled.
    ThisMachine,
}

impl fmt::Display for AddressClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unspecified => "unspecified",
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::SharedByCarrier => "shared by a carrier",
            Self::LinkLocal => "link-local",
            Self::CloudService => "a cloud's own service",
            Self::Special => "of special purpose",
            Self::Documentation => "for documentation",
            Self::Multicast => "multicast",
            Self::Reserved => "reserved",
            Self::EmbedsIpv4 => "IPv4 inside IPv6",
            Self::ThisMachine => "one of this machine's own",
        })
    }
}

/// An address that is not dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the address is {class}")]
pub struct Forbidden {
    /// Class of the address. For an IPv4 address inside an IPv6 one, the class of the inner address if it has one.
    pub class: AddressClass,
}

/// First address, prefix length, class.
type V4Row = (Ipv4Addr, u32, AddressClass);
type V6Row = (Ipv6Addr, u32, AddressClass);

const V4: &[V4Row] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8, AddressClass::Unspecified),
    (Ipv4Addr::new(10, 0, 0, 0), 8, AddressClass::Private),
    (Ipv4Addr::new(100, 64, 0, 0), 10, AddressClass::SharedByCarrier),
    (Ipv4Addr::new(127, 0, 0, 0), 8, AddressClass::Loopback),
    (Ipv4Addr::new(168, 63, 129, 16), 32, AddressClass::CloudService),
    (Ipv4Addr::new(169, 254, 0, 0), 16, AddressClass::LinkLocal),
    (Ipv4Addr::new(172, 16, 0, 0), 12, AddressClass::Private),
    (Ipv4Addr::new(192, 0, 0, 0), 24, AddressClass::Special),
    (Ipv4Addr::new(192, 0, 2, 0), 24, AddressClass::Documentation),
    (Ipv4Addr::new(192, 88, 99, 0), 24, AddressClass::Special),
    (Ipv4Addr::new(192, 168, 0, 0), 16, AddressClass::Private),
    (Ipv4Addr::new(198, 18, 0, 0), 15, AddressClass::Special),
    (Ipv4Addr::new(198, 51, 100, 0), 24, AddressClass::Documentation),
    (Ipv4Addr::new(203, 0, 113, 0), 24, AddressClass::Documentation),
    (Ipv4Addr::new(224, 0, 0, 0), 4, AddressClass::Multicast),
    (Ipv4Addr::new(240, 0, 0, 0), 4, AddressClass::Reserved),
];

/// Only what lies in `2000::/3` needs a row to be refused; the others give a class its name.
const V6: &[V6Row] = &[
    (v6(0, 0), 128, AddressClass::Unspecified),
    (Ipv6Addr::LOCALHOST, 128, AddressClass::Loopback),
    (v6(0x0100, 0), 64, AddressClass::Special),
    (v6(0x2001, 0), 23, AddressClass::Special),
    (v6(0x2001, 0xdb8), 32, AddressClass::Documentation),
    (v6(0x2002, 0), 16, AddressClass::EmbedsIpv4),
    (v6(0x3fff, 0), 20, AddressClass::Documentation),
    (v6(0x5f00, 0), 16, AddressClass::Special),
    (v6(0xfc00, 0), 7, AddressClass::Private),
    (v6(0xfe80, 0), 10, AddressClass::LinkLocal),
    (v6(0xfec0, 0), 10, AddressClass::Private),
    (v6(0xff00, 0), 8, AddressClass::Multicast),
];

const fn v6(first: u16, second: u16) -> Ipv6Addr {
    Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, 0)
}

/// Whether an address may be dialled.
///
/// IPv6 forms that hold an IPv4 address are always refused: none of them is global unicast, and a translator on the way
/// would decide where the packet ends up. The class says what the inner address was.
///
/// ```
/// use keyferry_egress::{AddressClass, check_address};
/// assert!(check_address("93.184.215.14".parse().unwrap()).is_ok());
/// assert_eq!(check_address("::ffff:127.0.0.1".parse().unwrap()).unwrap_err().class, AddressClass::Loopback);
/// ```
pub fn check_address(address: IpAddr) -> Result<(), Forbidden> {
    match address {
        IpAddr::V4(v4) => check_v4(v4),
        IpAddr::V6(v6) => check_v6(v6),
    }
}

fn check_v4(address: Ipv4Addr) -> Result<(), Forbidden> {
    for &(network, length, class) in V4 {
        if (address.to_bits() ^ network.to_bits()).checked_shr(32 - length).unwrap_or(0) == 0 {
            return Err(Forbidden { class });
        }
    }
    Ok(())
}

fn check_v6(address: Ipv6Addr) -> Result<(), Forbidden> {
    if let Some(inner) = embedded(address) {
        let class = check_v4(inner).err().map_or(AddressClass::EmbedsIpv4, |inner| inner.class);
        return Err(Forbidden { class });
    }
    for &(network, length, class) in V6 {
        if (address.to_bits() ^ network.to_bits()).checked_shr(128 - length).unwrap_or(0) == 0 {
            return Err(Forbidden { class });
        }
    }
    // Global unicast is 2000::/3 (RFC 4291, and the IANA registry); all else is not assigned for that.
    if address.to_bits() >> 125 == 1 { Ok(()) } else { Err(Forbidden { class: AddressClass::Reserved }) }
}

/// The IPv4 address inside an IPv6 one: mapped and compatible (RFC 4291), NAT64 (RFC 6052, RFC 8215), 6to4 (RFC 3056),
/// Teredo (RFC 4380, where the client's address is stored inverted).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let low = Ipv4Addr::from_bits((address.to_bits() & 0xffff_ffff) as u32);
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] => Some(low),
        [0x64, 0xff9b, 0, 0, 0, 0, ..] | [0x64, 0xff9b, 1, ..] => Some(low),
        [0x2002, ..] => Some(Ipv4Addr::from_bits(((address.to_bits() >> 80) & 0xffff_ffff) as u32)),
        [0x2001, 0, ..] => Some(Ipv4Addr::from_bits(!low.to_bits())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn class_of(address: &str) -> Option<AddressClass> {
        check_address(address.parse().unwrap_or_else(|e| panic!("{address}: {e}"))).err().map(|f| f.class)
    }

    #[test]
    fn refuses_the_first_and_the_last_of_each_ipv4_range_and_allows_their_neighbours() {
        use AddressClass as C;
        let ranges: &[(&str, &str, C, &[&str])] = &[
            ("0.0.0.0", "0.255.255.255", C::Unspecified, &["1.0.0.0"]),
            ("10.0.0.0", "10.255.255.255", C::Private, &["9.255.255.255", "11.0.0.0"]),
            ("100.64.0.0", "100.127.255.255", C::SharedByCarrier, &["100.63.255.255", "100.128.0.0"]),
            ("127.0.0.0", "127.255.255.255", C::Loopback, &["126.255.255.255", "128.0.0.0"]),
            ("168.63.129.16", "168.63.129.16", C::CloudService, &["168.63.129.15", "168.63.129.17"]),
            ("169.254.0.0", "169.254.255.255", C::LinkLocal, &["169.253.255.255", "169.255.0.0"]),
            ("172.16.0.0", "172.31.255.255", C::Private, &["172.15.255.255", "172.32.0.0"]),
            ("192.0.0.0", "192.0.0.255", C::Special, &["191.255.255.255", "192.0.1.0"]),
            ("192.0.2.0", "192.0.2.255", C::Documentation, &["192.0.1.255", "192.0.3.0"]),
            ("192.88.99.0", "192.88.99.255", C::Special, &["192.88.98.255", "192.88.100.0"]),
            ("192.168.0.0", "192.168.255.255", C::Private, &["192.167.255.255", "192.169.0.0"]),
            ("198.18.0.0", "198.19.255.255", C::Special, &["198.17.255.255", "198.20.0.0"]),
            ("198.51.100.0", "198.51.100.255", C::Documentation, &["198.51.99.255", "198.51.101.0"]),
            ("203.0.113.0", "203.0.113.255", C::Documentation, &["203.0.112.255", "203.0.114.0"]),
            ("224.0.0.0", "239.255.255.255", C::Multicast, &["223.255.255.255"]),
            ("240.0.0.0", "255.255.255.255", C::Reserved, &[]),
        ];
        for (first, last, class, neighbours) in ranges {
            assert_eq!(class_of(first), Some(*class), "{first}");
            assert_eq!(class_of(last), Some(*class), "{last}");
            for neighbour in *neighbours {
                assert_eq!(class_of(neighbour), None, "{neighbour}");
            }
        }
    }

    #[test]
    fn refuses_every_ipv6_range_that_is_not_public() {
        use AddressClass as C;
        for (address, class) in [
            ("::", C::Unspecified),
            ("::1", C::Loopback),
            ("::2", C::Unspecified),
            ("::127.0.0.1", C::Loopback),
            ("::ffff:127.0.0.1", C::Loopback),
            ("::ffff:7f00:1", C::Loopback),
            ("::ffff:169.254.169.254", C::LinkLocal),
            ("::ffff:8.8.8.8", C::EmbedsIpv4),
            ("::ffff:0:8.8.8.8", C::EmbedsIpv4),
            ("64:ff9b::7f00:1", C::Loopback),
            ("64:ff9b::808:808", C::EmbedsIpv4),
            ("64:ff9b:1::a9fe:a9fe", C::LinkLocal),
            ("2002:7f00:1::", C::Loopback),
            ("2002:a9fe:a9fe::1", C::LinkLocal),
            ("2002:808:808::", C::EmbedsIpv4),
            ("2001:0:53aa:64c:0:0:80ff:fffe", C::Loopback),
            ("100::1", C::Special),
            ("2001:1::1", C::Special),
            ("2001:1ff:ffff::", C::Special),
            ("2001:db8::1", C::Documentation),
            ("3fff::1", C::Documentation),
            ("3fff:fff:ffff::", C::Documentation),
            ("5f00::1", C::Special),
            ("fc00::", C::Private),
            ("fd00:ec2::254", C::Private),
            ("fe80::1", C::LinkLocal),
            ("febf::1", C::LinkLocal),
            ("fec0::1", C::Private),
            ("ff02::1", C::Multicast),
            ("1fff::1", C::Reserved),
            ("4000::1", C::Reserved),
            ("e000::1", C::Reserved),
        ] {
            assert_eq!(class_of(address), Some(class), "{address}");
        }
        for public in
            ["2606:4700::1111", "2001:200::1", "2001:4860:4860::8888", "2a00:1450::1", "3ffe::1", "3fff:1000::"]
        {
            assert_eq!(class_of(public), None, "{public}");
        }
    }

    proptest! {
        #[test]
        fn no_ipv6_form_of_a_forbidden_ipv4_address_is_allowed(bits in any::<u32>()) {
            let v4 = Ipv4Addr::from_bits(bits);
            let low = u128::from(bits);
            for v6 in [
                v4.to_ipv6_mapped().to_bits(),
                low,
                0x64_ff9b_u128 << 96 | low,
                0x64_ff9b_0001_u128 << 80 | low,
                0x2002_u128 << 112 | low << 80,
                0x2001_u128 << 112 | u128::from(!bits),
            ] {
                prop_assert!(check_address(IpAddr::V6(Ipv6Addr::from_bits(v6))).is_err());
            }
        }

        #[test]
        fn whatever_is_allowed_is_global_unicast(bits in any::<u128>()) {
            let address = Ipv6Addr::from_bits(bits);
            if check_address(IpAddr::V6(address)).is_ok() {
                prop_assert!(matches!(address.segments()[0], 0x2000..=0x3fff));
            }
        }
    }
}
