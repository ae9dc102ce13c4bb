//! The data that an instance can find of earlier instances.
//!
//! A [`hoarder`] that is given a secret as text writes it all over its memory and its globals. A [`peeper`] searches
//! its fresh memory, table and globals before it does anything else. Both grow to the same size, so that with one slot
//! the peeper has the same pages that the hoarder had.
//!
//! [`two_faced`] describes itself with the time and with random bytes, which it must not get.

use serde_json::json;

use super::plugin::{Plugin, description, field};

/// Pages that both grow to: more than stays mapped between two instances.
const PAGES: u32 = 320;
/// The mark of the secret: its first eight bytes, which no module contains as they are.
const MARK: [u8; 8] = *b"PEEPSHOW";
/// Subtracted from the mark where a module contains it.
const VEIL: u64 = 0x0101_0101_0101_0101;

/// The result of a call of a peeper or hoarder, from its problem's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finds {
    /// Nothing: every byte was zero.
    Nothing,
    /// Bytes that are not zero.
    Something,
    /// The secret.
    TheSecret,
}

impl Finds {
    /// Reads it from a problem's `code`.
    pub fn of(code: &str) -> Option<Self> {
        match code {
            "not_verifiable" => Some(Self::Nothing),
            "wrong_tenant" => Some(Self::Something),
            "credentials_rejected" => Some(Self::TheSecret),
            _ => None,
        }
    }
}

/// Searches, and then writes the secret that it is given as text to all memory.
pub fn hoarder(slug: &str) -> Vec<u8> {
    let mut plugin = peeping(slug);
    plugin.description["reads-secrets"] = true.into();
    let globals =
        (0..64).map(|n| format!("(global.set $g{n} (i64.load (i32.add (local.get $text) (i32.const {}))))", n % 2 * 8));
    plugin.items.push_str(&format!(
        "(func $hoard (param $text i32) (param $length i32) (local $at i32)
           (local.set $at (global.get $FREE))
           (loop $again
             (memory.copy (local.get $at) (local.get $text) (local.get $length))
             (local.set $at (i32.add (local.get $at) (local.get $length)))
             (br_if $again (i32.lt_u (i32.add (local.get $at) (local.get $length)) (i32.const {}))))
           {})",
        PAGES * 65_536,
        globals.collect::<String>(),
    ));
    // As text, a field's value lies 12 bytes into it: address and length. It is copied before everything is
    // overwritten.
    plugin.verify.push_str(
        "(memory.copy (i32.const 0) (i32.load offset=12 (local.get $fields)) (i32.load offset=16 (local.get $fields)))
         (call $hoard (i32.const 0) (i32.load offset=16 (local.get $fields)))",
    );
    plugin.verify.push_str("(global.get $VERDICT)");
    plugin.build()
}

/// Only searches.
pub fn peeper(slug: &str) -> Vec<u8> {
    let mut plugin = peeping(slug);
    plugin.verify.push_str("(global.get $VERDICT)");
    plugin.build()
}

/// The common first steps. The verdict begins as `not-verifiable`, and the result of the search overwrites its kind.
fn peeping(slug: &str) -> Plugin {
    let mut plugin = Plugin::new(slug);
    plugin.description = description(slug);
    // The secret is given to it as text: it must find a secret that is there, or a search without a result proves
    // nothing.
    plugin.description["auth-types"][0]["fields"] = json!([field("api_key"), {"name": "note", "label": "Note"}]);
    plugin.verdict = json!({"err": {"kind": "not-verifiable", "detail": "looked"}});
    let veiled = u64::from_le_bytes(MARK).wrapping_sub(VEIL);
    let globals = (0..64).map(|n| format!("(global $g{n} (mut i64) (i64.const 0))")).collect::<String>();
    let dirty = (0..64).map(|n| format!("(i64.or (global.get $g{n}))")).collect::<String>();
    plugin.items = format!(
        "(table $t 500 1000 funcref) {globals}
         (func $look (local $at i32) (local $end i32) (local $mark i64) (local $all i64) (local $found i32)
           (drop (memory.grow (i32.sub (i32.const {PAGES}) (memory.size))))
           (local.set $end (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 8)))
           (local.set $mark (i64.add (i64.const {veiled}) (i64.const {VEIL})))
           (loop $again
             (local.set $found (i32.or (local.get $found)
               (i64.eq (i64.load (local.get $at)) (local.get $mark))))
             (br_if $again (i32.le_u (local.tee $at (i32.add (local.get $at) (i32.const 1))) (local.get $end))))
           ;; Nothing but zeros from the first page on that holds neither data nor arguments.
           (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 65535)) (i32.const -65536)))
           (loop $again
             (local.set $all (i64.or (local.get $all) (i64.load (local.get $at))))
             (br_if $again (i32.le_u (local.tee $at (i32.add (local.get $at) (i32.const 8))) (local.get $end))))
           (local.set $at (i32.const 0))
           (drop (table.grow $t (ref.null func) (i32.const 500)))
           (loop $again
             (if (i32.eqz (ref.is_null (table.get $t (local.get $at)))) (then (local.set $all (i64.const 1))))
             (br_if $again (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 1))) (table.size $t))))
           (if (i64.ne (i64.const 0) (i64.or (local.get $all) (i64.const 0) {dirty})) (then
             (i32.store8 offset=8 (global.get $VERDICT) (i32.const 2))))
           (if (local.get $found) (then (i32.store8 offset=8 (global.get $VERDICT) (i32.const 0)))))"
    );
    plugin.verify = "(call $look)".to_owned();
    plugin
}

/// Describes itself with the clock and random bytes: its name is eight random letters and the last digits of the clock.
pub fn two_faced(slug: &str) -> Vec<u8> {
    let mut plugin = Plugin::new(slug);
    plugin.description["name"] = "xxxxxxxx0000".into();
    // A string's address is the first word of two; the name is the second member, after the slug.
    plugin.describe = "
        (call $random (i32.const 8) (global.get $FREE))
        (local.set $j (i32.load (global.get $FREE)))
        (loop $again
          (i32.store8
            (i32.add (i32.load offset=8 (global.get $DESCRIPTION)) (local.get $i))
            (i32.add (i32.const 97) (i32.rem_u (i32.load8_u (i32.add (local.get $j) (local.get $i))) (i32.const 26))))
          (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 8))))
        (loop $again
          (i32.store8
            (i32.add (i32.load offset=8 (global.get $DESCRIPTION)) (local.get $i))
            (i32.add (i32.const 48) (i32.wrap_i64 (i64.rem_u
              (i64.div_u (call $now) (i64.extend_i32_u (i32.mul (i32.sub (local.get $i) (i32.const 7)) (i32.const 10))))
              (i64.const 10)))))
          (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 12))))
        (global.get $DESCRIPTION)"
        .to_owned();
    plugin.build()
}
