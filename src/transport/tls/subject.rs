//! A certificate's names as text, the way that Mosquitto makes user names of them.

use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// The first common name of the subject. `None` if there is none, or if it holds a NUL, which
/// would end the name early in the eyes of others.
pub(super) fn common_name(leaf: &[u8]) -> Option<Box<str>> {
    let (_, leaf) = X509Certificate::from_der(leaf).ok()?;
    let attribute = leaf.subject().iter_common_name().next()?;
    let name = String::from_utf8(value(attribute)).ok()?;
    (!name.is_empty() && !name.contains('\0')).then(|| name.into())
}

/// The subject as RFC 2253 writes it, the most specific part first: `CN=lamp,OU=house,O=home`.
/// `None` if it is empty.
pub(super) fn subject(leaf: &[u8]) -> Option<Box<str>> {
    let (_, leaf) = X509Certificate::from_der(leaf).ok()?;
    let text = rfc2253(leaf.subject());
    (!text.is_empty()).then(|| text.into())
}

fn rfc2253(name: &X509Name<'_>) -> String {
    let mut parts: Vec<String> = name
        .iter_rdn()
        .map(|part| part.iter().map(attribute).collect::<Vec<_>>().join("+"))
        .collect();
    parts.reverse();
    parts.join(",")
}

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    let oid = attribute.attr_type().to_id_string();
    let name = short(&oid).unwrap_or(&oid);
    format!("{name}={}", escape(&value(attribute)))
}

/// The names that OpenSSL knows.
fn short(oid: &str) -> Option<&'static str> {
    Some(match oid {
        "2.5.4.3" => "CN",
        "2.5.4.4" => "SN",
        "2.5.4.5" => "serialNumber",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.9" => "street",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "2.5.4.12" => "title",
        "2.5.4.13" => "description",
        "2.5.4.17" => "postalCode",
        "2.5.4.41" => "name",
        "2.5.4.42" => "GN",
        "2.5.4.43" => "initials",
        "2.5.4.44" => "generationQualifier",
        "2.5.4.46" => "dnQualifier",
        "2.5.4.65" => "pseudonym",
        "0.9.2342.19200300.100.1.1" => "UID",
        "0.9.2342.19200300.100.1.25" => "DC",
        "1.2.840.113549.1.9.1" => "emailAddress",
        _ => return None,
    })
}

/// An attribute's value in UTF-8, whatever kind of string it is.
fn value(attribute: &AttributeTypeAndValue<'_>) -> Vec<u8> {
    use x509_parser::der_parser::asn1_rs::Tag;
    let raw = attribute.as_slice();
    match attribute.attr_value().tag() {
        Tag::BmpString => {
            let units = raw.as_chunks::<2>().0.iter().map(|two| u16::from_be_bytes(*two));
            char::decode_utf16(units)
                .map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER))
                .collect::<String>()
                .into_bytes()
        }
        Tag::UniversalString => {
            let units = raw.as_chunks::<4>().0.iter().map(|four| u32::from_be_bytes(*four));
            units
                .map(|unit| char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER))
                .collect::<String>()
                .into_bytes()
        }
        Tag::T61String => raw.iter().map(|byte| char::from(*byte)).collect::<String>().into_bytes(),
        _ => raw.to_vec(),
    }
}

/// Escapes as OpenSSL does for RFC 2253: special characters by a backslash, others that are no
/// printable ASCII by their bytes in hexadecimal.
fn escape(value: &[u8]) -> String {
    let mut text = String::with_capacity(value.len());
    for (at, byte) in value.iter().enumerate() {
        let edge = at == 0 || at + 1 == value.len();
        match byte {
            b',' | b'+' | b'"' | b'\\' | b'<' | b'>' | b';' => {
                text.push('\\');
                text.push(char::from(*byte));
            }
            b' ' if edge => text.push_str("\\ "),
            b'#' if at == 0 => text.push_str("\\#"),
            0x20..0x7F => text.push(char::from(*byte)),
            _ => text.push_str(&format!("\\{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, DnValue, KeyPair};

    use super::*;

    fn certificate(names: &[(DnType, DnValue)]) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, value) in names {
            params.distinguished_name.push(kind.clone(), value.clone());
        }
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    fn text(value: &str) -> DnValue {
        DnValue::Utf8String(value.into())
    }

    #[test]
    fn the_most_specific_part_comes_first() {
        let leaf = certificate(&[
            (DnType::CountryName, text("DE")),
            (DnType::StateOrProvinceName, text("Hessen")),
            (DnType::LocalityName, text("Kassel")),
            (DnType::OrganizationName, text("Lamps, Inc.")),
            (DnType::OrganizationalUnitName, text(" a=b+c ")),
            (DnType::CommonName, text("Lüster#1")),
        ]);
        let wanted = "CN=L\\C3\\BCster#1,OU=\\ a=b\\+c\\ ,O=Lamps\\, Inc.,L=Kassel,ST=Hessen,C=DE";
        assert_eq!(subject(&leaf).as_deref(), Some(wanted));
        assert_eq!(common_name(&leaf).as_deref(), Some("Lüster#1"));
    }

    #[test]
    fn other_kinds_of_strings_are_read_too() {
        let bmp = rcgen::string::BmpString::try_from("Lüster").unwrap();
        let leaf = certificate(&[(DnType::CommonName, DnValue::BmpString(bmp))]);
        assert_eq!(common_name(&leaf).as_deref(), Some("Lüster"));
        let kind = DnType::CustomDnType(vec![1, 3, 6, 1, 4, 1, 9]);
        let leaf = certificate(&[(kind, text("#x"))]);
        assert_eq!(subject(&leaf).as_deref(), Some("1.3.6.1.4.1.9=\\#x"));
    }

    #[test]
    fn what_is_no_name_gives_none() {
        assert_eq!(common_name(&certificate(&[])), None);
        assert_eq!(subject(&certificate(&[])), None);
        assert_eq!(common_name(&certificate(&[(DnType::CommonName, text("a\0b"))])), None);
        assert_eq!(common_name(b"no certificate"), None);
    }
}
