//! OpenSSL's names for cipher suites, and its expressions over them.

use rustls::SupportedCipherSuite;
use rustls::crypto::ring::cipher_suite as suite;

/// One suite that there is.
struct Known {
    openssl: &'static str,
    iana: &'static str,
    /// The words of an expression that stand for it, among others.
    words: &'static [&'static str],
    suite: SupportedCipherSuite,
}

/// Suites of TLS 1.2, best first.
static TLS12: [Known; 6] = [
    Known {
        openssl: "ECDHE-ECDSA-AES256-GCM-SHA384",
        iana: "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        words: &["aECDSA", "ECDSA", "AES256", "AES", "AESGCM", "SHA384"],
        suite: suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    },
    Known {
        openssl: "ECDHE-RSA-AES256-GCM-SHA384",
        iana: "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        words: &["aRSA", "AES256", "AES", "AESGCM", "SHA384"],
        suite: suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    },
    Known {
        openssl: "ECDHE-ECDSA-AES128-GCM-SHA256",
        iana: "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        words: &["aECDSA", "ECDSA", "AES128", "AES", "AESGCM", "SHA256"],
        suite: suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    },
    Known {
        openssl: "ECDHE-RSA-AES128-GCM-SHA256",
        iana: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        words: &["aRSA", "AES128", "AES", "AESGCM", "SHA256"],
        suite: suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    },
    Known {
        openssl: "ECDHE-ECDSA-CHACHA20-POLY1305",
        iana: "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        words: &["aECDSA", "ECDSA", "CHACHA20"],
        suite: suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    },
    Known {
        openssl: "ECDHE-RSA-CHACHA20-POLY1305",
        iana: "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        words: &["aRSA", "CHACHA20"],
        suite: suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    },
];

/// Suites of TLS 1.3.
static TLS13: [Known; 3] = [
    Known {
        openssl: "TLS_AES_256_GCM_SHA384",
        iana: "TLS13_AES_256_GCM_SHA384",
        words: &[],
        suite: suite::TLS13_AES_256_GCM_SHA384,
    },
    Known {
        openssl: "TLS_CHACHA20_POLY1305_SHA256",
        iana: "TLS13_CHACHA20_POLY1305_SHA256",
        words: &[],
        suite: suite::TLS13_CHACHA20_POLY1305_SHA256,
    },
    Known {
        openssl: "TLS_AES_128_GCM_SHA256",
        iana: "TLS13_AES_128_GCM_SHA256",
        words: &[],
        suite: suite::TLS13_AES_128_GCM_SHA256,
    },
];

/// Words that stand for all suites there are: each of them is strong, and agrees on keys by
/// elliptic curves.
const ALL: [&str; 9] =
    ["ALL", "DEFAULT", "HIGH", "TLSv1.2", "ECDHE", "EECDH", "kECDHE", "kEECDH", "AEAD"];

/// Words that stand for suites none of which there is.
const NONE: [&str; 37] = [
    "COMPLEMENTOFALL",
    "COMPLEMENTOFDEFAULT",
    "MEDIUM",
    "LOW",
    "EXPORT",
    "EXP",
    "eNULL",
    "NULL",
    "aNULL",
    "kRSA",
    "RSA",
    "kDHE",
    "kEDH",
    "DH",
    "DHE",
    "EDH",
    "ADH",
    "AECDH",
    "aDSS",
    "DSS",
    "PSK",
    "kPSK",
    "aPSK",
    "SRP",
    "TLSv1",
    "TLSv1.0",
    "SSLv3",
    "CAMELLIA",
    "ARIA",
    "SEED",
    "IDEA",
    "3DES",
    "DES",
    "RC4",
    "RC2",
    "MD5",
    "SHA1",
];

/// Likewise, for the parts of a suite's name: a suite of OpenSSL's that there is not.
const PARTS: [&str; 32] = [
    "ECDHE",
    "DHE",
    "EDH",
    "ADH",
    "AECDH",
    "RSA",
    "ECDSA",
    "DSS",
    "PSK",
    "SRP",
    "AES128",
    "AES256",
    "GCM",
    "CCM",
    "CCM8",
    "SHA",
    "SHA256",
    "SHA384",
    "CAMELLIA128",
    "CAMELLIA256",
    "ARIA128",
    "ARIA256",
    "CHACHA20",
    "POLY1305",
    "DES",
    "CBC",
    "CBC3",
    "RC4",
    "MD5",
    "SEED",
    "NULL",
    "ARIA128-GCM",
];

/// The suites of TLS 1.2 that an OpenSSL expression asks for, in its order, such as
/// `ECDHE-RSA-AES128-GCM-SHA256:HIGH:!aNULL`.
///
/// OpenSSL passes over names that it does not know, and lists are written with that in mind. Here
/// its own names are passed over when there is no such suite; what is no name at all is an error.
///
/// # Errors
/// When a word means nothing, or when nothing is left.
pub(super) fn tls12(expression: &str) -> Result<Vec<SupportedCipherSuite>, String> {
    let mut chosen: Vec<&Known> = Vec::new();
    let mut banned: Vec<&str> = Vec::new();
    for word in expression.split([':', ',', ' ', ';']).filter(|word| !word.is_empty()) {
        let (sign, name) = match word.as_bytes()[0] {
            sign @ (b'!' | b'-' | b'+' | b'@') => (sign, &word[1..]),
            _ => (0, word),
        };
        if sign == b'@' {
            // An order (@STRENGTH) or a level (@SECLEVEL=2); what there is fits each of them.
            continue;
        }
        let meant = meaning(name)?;
        let is_meant = |one: &&Known| meant.iter().any(|known| known.openssl == one.openssl);
        match sign {
            b'!' => {
                banned.extend(meant.iter().map(|known| known.openssl));
                chosen.retain(|one| !is_meant(one));
            }
            b'-' => chosen.retain(|one| !is_meant(one)),
            b'+' => chosen.sort_by_key(is_meant),
            _ => {
                let new = |known: &&Known| {
                    !banned.contains(&known.openssl)
                        && !chosen.iter().any(|one| one.openssl == known.openssl)
                };
                let new: Vec<_> = meant.iter().copied().filter(new).collect();
                chosen.extend(new);
            }
        }
    }
    finish("ciphers", expression, chosen, &TLS12)
}

/// The suites of TLS 1.3 that a list names.
///
/// # Errors
/// When a name is unknown, or there is none.
pub(super) fn tls13(list: &str) -> Result<Vec<SupportedCipherSuite>, String> {
    let mut chosen = Vec::new();
    for name in list.split([':', ',', ' ']).filter(|word| !word.is_empty()) {
        match TLS13.iter().find(|known| known.openssl == name || known.iana == name) {
            Some(known) => chosen.push(known),
            // OpenSSL's, for small devices; passed over like those above.
            None if name.starts_with("TLS_AES_128_CCM") => {}
            None => return Err(unknown(name, &TLS13)),
        }
    }
    finish("ciphers_tls1.3", list, chosen, &TLS13)
}

/// All suites of TLS 1.2.
pub(super) fn all_tls12() -> Vec<SupportedCipherSuite> {
    TLS12.iter().map(|known| known.suite).collect()
}

/// All suites of TLS 1.3.
pub(super) fn all_tls13() -> Vec<SupportedCipherSuite> {
    TLS13.iter().map(|known| known.suite).collect()
}

fn finish(
    option: &str,
    given: &str,
    chosen: Vec<&Known>,
    all: &[Known],
) -> Result<Vec<SupportedCipherSuite>, String> {
    if chosen.is_empty() {
        return Err(format!("{option} '{given}' leaves no cipher suite of {}", names(all)));
    }
    Ok(chosen.into_iter().map(|known| known.suite).collect())
}

/// The suites that a word stands for; those of `A+B` fit both words.
fn meaning(word: &str) -> Result<Vec<&'static Known>, String> {
    let mut meant: Vec<&Known> = TLS12.iter().collect();
    for part in word.split('+') {
        if ALL.contains(&part) {
            continue;
        }
        if NONE.contains(&part) || is_absent_suite(part) {
            meant.clear();
        } else if TLS12.iter().any(|known| known.is(part)) {
            meant.retain(|known| known.is(part));
        } else {
            return Err(unknown(word, &TLS12));
        }
    }
    Ok(meant)
}

impl Known {
    fn is(&self, word: &str) -> bool {
        self.openssl == word || self.iana == word || self.words.contains(&word)
    }
}

/// Whether a name is put together like OpenSSL's of a suite, or is one of TLS 1.3, which is not
/// for this list.
fn is_absent_suite(name: &str) -> bool {
    let suite = name.contains('-') && name.split('-').all(|part| PARTS.contains(&part));
    let known = TLS12.iter().any(|known| known.openssl == name);
    (suite && !known) || TLS13.iter().any(|known| known.openssl == name)
}

fn unknown(word: &str, all: &[Known]) -> String {
    format!("there is no cipher suite '{word}', only {}", names(all))
}

fn names(all: &[Known]) -> String {
    all.iter().map(|known| known.openssl).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(expression: &str) -> Vec<&'static str> {
        let suites = tls12(expression).unwrap_or_else(|error| panic!("{error}"));
        let name = |suite: &SupportedCipherSuite| {
            TLS12.iter().find(|known| known.suite == *suite).unwrap().openssl
        };
        suites.iter().map(name).collect()
    }

    #[test]
    fn names_are_taken_in_their_order() {
        let list = "ECDHE-RSA-CHACHA20-POLY1305:TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256";
        assert_eq!(chosen(list), ["ECDHE-RSA-CHACHA20-POLY1305", "ECDHE-RSA-AES128-GCM-SHA256"]);
        assert_eq!(tls13("TLS_AES_128_GCM_SHA256:TLS_AES_128_CCM_SHA256").unwrap().len(), 1);
        assert_eq!(tls13("TLS_CHACHA20_POLY1305_SHA256").unwrap().len(), 1);
    }

    #[test]
    fn expressions_mean_what_they_mean_to_openssl() {
        assert_eq!(chosen("HIGH:!aNULL:!MD5:@STRENGTH").len(), 6);
        assert_eq!(chosen("DEFAULT:!CHACHA20:!aECDSA").len(), 2);
        assert_eq!(chosen("EECDH+AESGCM:EDH+AESGCM").len(), 4);
        assert_eq!(chosen("ALL:-AES:ECDHE+aRSA+AES256").len(), 3);
        assert_eq!(chosen("!CHACHA20:ALL").len(), 4, "banned for good");
        assert_eq!(chosen("ALL:+AES256").last(), Some(&"ECDHE-RSA-AES256-GCM-SHA384"));
        // Lists of old suites beside new ones are common.
        let mixed = "ECDHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-SHA";
        assert_eq!(chosen(mixed), ["ECDHE-RSA-AES128-GCM-SHA256"]);
    }

    #[test]
    fn what_leaves_nothing_or_means_nothing_is_refused_with_what_there_is() {
        for (wrong, word) in [
            ("AES256-SHA", "leaves no"),
            ("RC4-MD5", "leaves no"),
            ("", "leaves no"),
            ("ALL:!ALL", "leaves no"),
            ("HIGH:ECDHE-RSA-AES512-GCM", "no cipher suite 'ECDHE-RSA-AES512-GCM'"),
            ("BEST", "no cipher suite 'BEST'"),
        ] {
            let error = tls12(wrong).unwrap_err();
            assert!(error.contains(word) && error.contains("ECDHE-RSA-CHACHA20"), "{error}");
        }
        assert!(tls13("TLS_NULL").unwrap_err().contains("TLS_AES_256_GCM_SHA384"));
    }
}
