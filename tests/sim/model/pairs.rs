//! Whether things can be told apart that look alike: a pairing of each with a different partner.

use std::collections::BTreeMap;

/// Whether each of `wanted`, a list of those partners that it may have, can have one of its own.
pub fn all_have_one(wanted: &[Vec<usize>]) -> bool {
    let mut of: BTreeMap<usize, usize> = BTreeMap::new();
    (0..wanted.len()).all(|who| find(who, wanted, &mut of, &mut Vec::new()))
}

/// Finds a partner for `who`, if need be by giving others new ones.
fn find(
    who: usize,
    wanted: &[Vec<usize>],
    of: &mut BTreeMap<usize, usize>,
    tried: &mut Vec<usize>,
) -> bool {
    for partner in &wanted[who] {
        if tried.contains(partner) {
            continue;
        }
        tried.push(*partner);
        let free = match of.get(partner).copied() {
            None => true,
            Some(other) => find(other, wanted, of, tried),
        };
        if free {
            of.insert(*partner, who);
            return true;
        }
    }
    false
}

#[test]
fn partners_are_given_anew_where_that_helps() {
    assert!(all_have_one(&[vec![1, 2], vec![1], vec![2, 3]]));
    assert!(!all_have_one(&[vec![1, 2], vec![1], vec![2]]));
    assert!(!all_have_one(&[vec![]]));
}
