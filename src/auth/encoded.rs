//! Password hashes as Mosquitto encodes them: reading, checking and making them. Pure, and slow
//! on purpose: never on a shard's thread.
//!
//! | prefix | what it is |
//! |---|---|
//! | `$6$salt$hash` | SHA-512 of password and salt |
//! | `$7$iterations$salt$hash` | PBKDF2 with HMAC-SHA-512 |
//! | `$argon2id$v=19$m=…,t=…,p=…$salt$hash` | Argon2id, a PHC string |
//!
//! Salts of the first two have 12 bytes (Mosquitto to 2.0) or 64 (from 2.1), hashes 64; base64
//! with padding. Argon2id has it without.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use pbkdf2::pbkdf2_hmac;
use sha2::{Digest, Sha512};
use subtle::ConstantTimeEq;

use super::Credential;

/// Salt bytes that Mosquitto up to 2.0 writes, and the only ones that it reads.
pub const SALT_LEN: usize = 12;
/// Salt bytes that Mosquitto from 2.1 on writes.
const SALT_LEN_LONG: usize = 64;
/// Bytes of a hash in the `$6$` and `$7$` formats.
const HASH_LEN: usize = 64;
/// Memory that one Argon2id hash may ask for, in KiB: 4 GiB. A file that asks for more would end
/// the process instead of checking a password.
const ARGON2_MEMORY_MAX: u32 = 4 << 20;
/// Iterations of PBKDF2 for a new hash, unless told otherwise; the default of Mosquitto 2.1.
pub const PBKDF2_ITERATIONS: u32 = 1000;
/// Argon2id for a new hash: memory in KiB, passes, lanes, as Mosquitto 2.1 has it.
const ARGON2_COST: (u32, u32, u32) = (47_104, 1, 1);

/// How a new hash is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `$6$`: SHA-512, once. Quick to guess; for files that old brokers read.
    Sha512,
    /// `$7$`: PBKDF2 with this many iterations, at least 1.
    Pbkdf2(u32),
    /// `$argon2id$`: slow and large on purpose. Read by Mosquitto from 2.1 on.
    Argon2id,
}

/// A hash taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Parsed {
    kind: Kind,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sha512,
    Pbkdf2 { iterations: u32 },
    Argon2id { memory_kib: u32, passes: u32, lanes: u32 },
}

impl Credential {
    /// Checks that `encoded` is a hash in one of the formats.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(encoded: &str) -> Result<Self, &'static str> {
        Parsed::from(encoded).map(|_| Self::new(encoded))
    }

    /// Hashes a password. `salt` is random; [`Scheme::salt_len`] bytes of it are used.
    ///
    /// # Panics
    /// When `salt` is shorter than that.
    pub fn make(scheme: Scheme, password: &[u8], salt: &[u8]) -> Self {
        let kind = match scheme {
            Scheme::Sha512 => Kind::Sha512,
            Scheme::Pbkdf2(iterations) => Kind::Pbkdf2 { iterations: iterations.max(1) },
            Scheme::Argon2id => {
                let (memory_kib, passes, lanes) = ARGON2_COST;
                Kind::Argon2id { memory_kib, passes, lanes }
            }
        };
        let salt = salt[..scheme.salt_len()].to_vec();
        let mut parsed = Parsed { kind, salt, hash: vec![0; HASH_LEN] };
        parsed.hash = parsed.derive(password);
        Self::new(&parsed.encode())
    }

    /// Whether `password` is the one that was hashed. The comparison takes the same time wherever
    /// the first difference is.
    pub fn verify(&self, password: &[u8]) -> bool {
        let Ok(parsed) = Parsed::from(self.encoded()) else { return false };
        bool::from(parsed.derive(password).ct_eq(&parsed.hash))
    }

    /// A credential that costs as much to check as this one and that no password opens: its hash
    /// is of the right length and no password is known to give it.
    pub(super) fn decoy(&self) -> Self {
        let Ok(mut parsed) = Parsed::from(self.encoded()) else { return Self::new("") };
        parsed.salt.fill(0);
        parsed.hash.fill(0);
        Self::new(&parsed.encode())
    }

    /// About how long a check takes, to compare with others: blocks of 128 bytes hashed.
    pub(super) fn cost(&self) -> u64 {
        match Parsed::from(self.encoded()).map(|parsed| parsed.kind) {
            Ok(Kind::Sha512) => 1,
            Ok(Kind::Pbkdf2 { iterations }) => 4 * u64::from(iterations),
            Ok(Kind::Argon2id { memory_kib, passes, .. }) => {
                8 * u64::from(memory_kib) * u64::from(passes)
            }
            Err(_) => 0,
        }
    }
}

impl Scheme {
    /// Bytes of salt that a new hash takes. PBKDF2 and SHA-512 get the length that every Mosquitto
    /// reads.
    pub fn salt_len(self) -> usize {
        match self {
            Self::Sha512 | Self::Pbkdf2(_) => SALT_LEN,
            Self::Argon2id => SALT_LEN_LONG,
        }
    }
}

impl Parsed {
    fn from(encoded: &str) -> Result<Self, &'static str> {
        let mut fields = encoded.strip_prefix('$').ok_or(UNKNOWN)?.split('$');
        let kind = match fields.next() {
            Some("6") => Kind::Sha512,
            Some("7") => pbkdf2_kind(fields.next())?,
            Some("argon2id") => return Self::argon2id(fields),
            _ => return Err(UNKNOWN),
        };
        let (Some(salt), Some(hash), None) = (fields.next(), fields.next(), fields.next()) else {
            return Err("its hash does not have the fields that its format asks for");
        };
        let salt = STANDARD.decode(salt).map_err(|_| "its salt is not base64")?;
        let hash = STANDARD.decode(hash).map_err(|_| "its hash is not base64")?;
        if ![SALT_LEN, SALT_LEN_LONG].contains(&salt.len()) {
            return Err("its salt has neither 12 nor 64 bytes");
        }
        if hash.len() != HASH_LEN {
            return Err("its hash does not have 64 bytes");
        }
        Ok(Self { kind, salt, hash })
    }

    fn argon2id<'a>(mut fields: impl Iterator<Item = &'a str>) -> Result<Self, &'static str> {
        let all = (fields.next(), fields.next(), fields.next(), fields.next(), fields.next());
        let (Some(version), Some(cost), Some(salt), Some(hash), None) = all else {
            return Err("its hash does not have the fields that its format asks for");
        };
        if version != "v=19" {
            return Err("its Argon2 version is not 19");
        }
        let kind = argon2_kind(cost).ok_or("its Argon2 parameters are not m=…,t=…,p=… in range")?;
        let salt = STANDARD_NO_PAD.decode(salt).map_err(|_| "its salt is not unpadded base64")?;
        let hash = STANDARD_NO_PAD.decode(hash).map_err(|_| "its hash is not unpadded base64")?;
        let parsed = Self { kind, salt, hash };
        if parsed.salt.len() < argon2::MIN_SALT_LEN || parsed.argon2().is_none() {
            return Err("its Argon2 parameters, salt or hash are out of range");
        }
        Ok(parsed)
    }

    fn argon2(&self) -> Option<Argon2<'static>> {
        let Kind::Argon2id { memory_kib, passes, lanes } = self.kind else { return None };
        let params = Params::new(memory_kib, passes, lanes, Some(self.hash.len())).ok()?;
        Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
    }

    /// Hashes a password as this one was hashed. Empty when the parameters are refused, which
    /// `from` has made sure they are not; an empty hash equals none.
    fn derive(&self, password: &[u8]) -> Vec<u8> {
        let mut out = vec![0; self.hash.len()];
        match self.kind {
            Kind::Sha512 => {
                let digest = Sha512::new().chain_update(password).chain_update(&self.salt);
                out.copy_from_slice(&digest.finalize());
            }
            Kind::Pbkdf2 { iterations } => {
                pbkdf2_hmac::<Sha512>(password, &self.salt, iterations, &mut out);
            }
            Kind::Argon2id { .. } => {
                let done = self
                    .argon2()
                    .is_some_and(|a| a.hash_password_into(password, &self.salt, &mut out).is_ok());
                if !done {
                    out.clear();
                }
            }
        }
        out
    }

    fn encode(&self) -> String {
        let engine =
            if matches!(self.kind, Kind::Argon2id { .. }) { STANDARD_NO_PAD } else { STANDARD };
        let (salt, hash) = (engine.encode(&self.salt), engine.encode(&self.hash));
        match self.kind {
            Kind::Sha512 => format!("$6${salt}${hash}"),
            Kind::Pbkdf2 { iterations } => format!("$7${iterations}${salt}${hash}"),
            Kind::Argon2id { memory_kib, passes, lanes } => {
                format!("$argon2id$v=19$m={memory_kib},t={passes},p={lanes}${salt}${hash}")
            }
        }
    }
}

const UNKNOWN: &str = "its hash begins with none of $6$, $7$ and $argon2id$";

fn pbkdf2_kind(iterations: Option<&str>) -> Result<Kind, &'static str> {
    let iterations = iterations.and_then(|n| n.parse().ok()).filter(|n| *n >= 1);
    iterations
        .map(|iterations| Kind::Pbkdf2 { iterations })
        .ok_or("its number of iterations is not a number from 1 to 4294967295")
}

fn argon2_kind(cost: &str) -> Option<Kind> {
    let mut parts = cost.split(',');
    let mut number = |name| parts.next()?.strip_prefix(name)?.parse::<u32>().ok();
    let (memory_kib, passes, lanes) = (number("m=")?, number("t=")?, number("p=")?);
    let rest = parts.next();
    (rest.is_none() && memory_kib <= ARGON2_MEMORY_MAX).then_some(Kind::Argon2id {
        memory_kib,
        passes,
        lanes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by other programs: Python's hashlib, Debian's mosquitto_passwd, hashlib with the salt
    /// of Mosquitto 2.1, the reference implementation of Argon2.
    const KNOWN: [(&str, &str); 4] = [
        (
            "secret",
            "$6$AAECAwQFBgcICQoL$JqsxEv/ucyxjA5DKsQ+Y8CDWaQDNQI9FpAkmfwAqWfwZLk/JEGgM0EpylrJHAZKK\
             yFQjJeZ3nFaHjPzOzPPmPw==",
        ),
        (
            "secret",
            "$7$101$ilvhqNogFwBd76x5$cwwsaymwPa3JcSn7V9pu+5WkQLs68ESii0xU79jxiyF04g4mPzXKu4W/QSkh\
             9G+poquJtCWcehfgQ6hGSjyrYg==",
        ),
        (
            "secret",
            "$7$1000$AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4\
             OTo7PD0+Pw==$j5aX3DstWRgO5cjjfvKvsf7Z/KK812T4wGDMih+DCHQg8P7++fmj4sZcMp1smkEafZL0QZ29\
             tE5ezahL/nyffw==",
        ),
        (
            "password",
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        ),
    ];

    #[test]
    fn hashes_of_other_programs_are_verified() {
        for (password, encoded) in KNOWN {
            let credential = Credential::parse(encoded).expect(encoded);
            assert!(credential.verify(password.as_bytes()), "{encoded}");
            assert!(!credential.verify(b"Secret"), "{encoded}");
            assert!(!credential.verify(b""), "{encoded}");
        }
    }

    #[test]
    fn what_is_made_is_verified_and_reads_as_it_should() {
        let salt = [7; 64];
        for (scheme, prefix) in [
            (Scheme::Sha512, "$6$BwcHBwcHBwcHBwcH$"),
            (Scheme::Pbkdf2(1), "$7$1$BwcHBwcHBwcHBwcH$"),
            (Scheme::Pbkdf2(0), "$7$1$BwcHBwcHBwcHBwcH$"),
            (Scheme::Argon2id, "$argon2id$v=19$m=47104,t=1,p=1$BwcH"),
        ] {
            let made = Credential::make(scheme, b"pass", &salt);
            assert!(made.encoded().starts_with(prefix), "{}", made.encoded());
            let read = Credential::parse(made.encoded()).expect("is well formed");
            assert!(read.verify(b"pass") && !read.verify(b"pas"));
        }
    }

    #[test]
    fn a_decoy_costs_the_same_and_opens_to_nothing() {
        for scheme in [Scheme::Sha512, Scheme::Pbkdf2(3), Scheme::Argon2id] {
            let real = Credential::make(scheme, b"pass", &[1; 64]);
            let decoy = real.decoy();
            assert!(Credential::parse(decoy.encoded()).is_ok(), "{}", decoy.encoded());
            assert_eq!(decoy.cost(), real.cost());
            assert!(!decoy.verify(b"pass"));
        }
    }

    #[test]
    fn malformed_hashes_are_refused_and_say_why() {
        let hash = STANDARD.encode([0; 64]);
        let salt = STANDARD.encode([0; 12]);
        for (encoded, why) in [
            ("plain".to_owned(), "none of"),
            ("$5$a$b".to_owned(), "none of"),
            (format!("$6${salt}"), "fields"),
            (format!("$6${salt}${hash}$more"), "fields"),
            (format!("$6$!!!${hash}"), "salt is not base64"),
            (format!("$6$AAAA${hash}"), "neither 12 nor 64"),
            (format!("$6${salt}$AAAA"), "64 bytes"),
            (format!("$6${salt}$?"), "hash is not base64"),
            (format!("$7$0${salt}${hash}"), "iterations"),
            (format!("$7$-1${salt}${hash}"), "iterations"),
            (format!("$7$4294967296${salt}${hash}"), "iterations"),
            (format!("$7${salt}${hash}"), "iterations"),
            ("$argon2id$v=16$m=64,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAA".to_owned(), "version"),
            ("$argon2id$v=19$m=64,t=1$AAAAAAAAAAA$AAAAAAAAAAA".to_owned(), "parameters"),
            ("$argon2id$v=19$m=64,t=0,p=1$AAAAAAAAAAA$AAAAAAAAAAA".to_owned(), "range"),
            ("$argon2id$v=19$m=4294967295,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAA".to_owned(), "range"),
            ("$argon2id$v=19$m=64,t=1,p=1$AAAA$AAAAAAAAAAA".to_owned(), "range"),
        ] {
            let error = Credential::parse(&encoded).expect_err(&encoded);
            assert!(error.contains(why), "{encoded}: {error}");
        }
    }
}
