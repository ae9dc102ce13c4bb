//! The canonical ABI by hand: values of the contract's types as bytes of a linear memory, valid and invalid ones.
//!
//! A value is JSON in the contract's own words, read by the types of `wit/v1` themselves: a record is an object (what
//! is missing is `none` or empty), a variant `{"rejected": [...]}`, an enum its name, `none` is `null`. What no honest
//! compiler would write has words of its own: `{"$at": ADDRESS, "$count": N}` is a string or list whose two words are
//! these,
//! `{"$bytes": [255]}` a string of these bytes, and `{"$case": N}` a variant, enum or option with that discriminant.

use std::path::Path;

use serde_json::Value;
use wit_parser::{Int, Resolve, SizeAlign, Type, TypeDefKind, WorldId};

use crate::or_fail::{OrFail as _, fail};

/// The contract, with the layout of its types.
pub(super) struct Contract {
    pub(super) resolve: Resolve,
    pub(super) world: WorldId,
    sizes: SizeAlign,
}

/// The initial bytes of a linear memory.
pub(super) struct Memory {
    base: u32,
    bytes: Vec<u8>,
}

impl Memory {
    /// The address of the first byte.
    pub(super) fn at(base: u32) -> Self {
        Self { base, bytes: Vec::new() }
    }

    /// Appends bytes and returns their address.
    pub(super) fn place(&mut self, bytes: &[u8], align: usize) -> u32 {
        self.bytes.resize(self.bytes.len().next_multiple_of(align.max(1)), 0);
        let address = self.end();
        self.bytes.extend_from_slice(bytes);
        address
    }

    /// The first free address.
    pub(super) fn end(&self) -> u32 {
        self.base + u32::try_from(self.bytes.len()).unwrap_or(u32::MAX)
    }

    /// A data segment in text.
    pub(super) fn segment(&self) -> String {
        let escaped: String = self.bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
        format!("(data (i32.const {}) \"{escaped}\")", self.base)
    }
}

impl Contract {
    /// Reads `wit/v1`.
    pub(super) fn read() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit/v1");
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_path(&folder).or_fail("read the contract");
        let world = resolve.select_world(&[package], Some("plugin")).or_fail("the contract's world");
        let mut sizes = SizeAlign::default();
        sizes.fill(&resolve);
        Self { resolve, world, sizes }
    }

    /// Puts the result of a function of `app` into memory, as the function returns it: by its address.
    pub(super) fn result(&self, memory: &mut Memory, function: &str, value: &Value) -> u32 {
        let (_, app) = self.interface("app");
        let function = app.functions.get(function).or_fail(function);
        self.whole(memory, &function.result.or_fail("a function with a result"), value)
    }

    /// Puts a request of `http.send` into memory, by its address.
    pub(super) fn request(&self, memory: &mut Memory, value: &Value) -> u32 {
        let (_, http) = self.interface("http");
        let id = http.types.get("request").or_fail("the type of a request");
        self.whole(memory, &Type::Id(*id), value)
    }

    fn interface(&self, name: &str) -> (wit_parser::InterfaceId, &wit_parser::Interface) {
        let named = |(_, interface): &(_, &wit_parser::Interface)| interface.name.as_deref() == Some(name);
        self.resolve.interfaces.iter().find(named).or_fail(name)
    }

    fn whole(&self, memory: &mut Memory, ty: &Type, value: &Value) -> u32 {
        let bytes = self.store(memory, ty, value);
        memory.place(&bytes, self.sizes.align(ty).align_wasm32())
    }

    fn size(&self, ty: &Type) -> usize {
        self.sizes.size(ty).size_wasm32()
    }

    /// A value's own bytes; the bytes that it points to are appended to memory.
    fn store(&self, memory: &mut Memory, ty: &Type, value: &Value) -> Vec<u8> {
        let size = self.size(ty);
        let bytes = match ty {
            Type::Bool => prefix(value.as_bool().map_or_else(|| number(value), u64::from), 1),
            Type::U8 | Type::U16 | Type::U32 | Type::U64 => prefix(number(value), size),
            Type::String => match words(value) {
                Some(words) => words,
                None => {
                    let text = raw_bytes(value).unwrap_or_else(|| value.as_str().unwrap_or_default().into());
                    let address = memory.place(&text, 1);
                    pair(address, text.len())
                }
            },
            Type::Id(id) => {
                let kind = &self.resolve.types.get(*id).or_fail("a type of the contract").kind;
                self.store_kind(memory, kind, size, value)
            }
            other => fail(format_args!("the contract has no {other:?} yet")),
        };
        padded(bytes, size)
    }

    fn store_kind(&self, memory: &mut Memory, kind: &TypeDefKind, size: usize, value: &Value) -> Vec<u8> {
        match kind {
            TypeDefKind::Type(ty) => self.store(memory, ty, value),
            TypeDefKind::Handle(_) => prefix(number(value), 4),
            TypeDefKind::Record(record) => {
                let types: Vec<&Type> = record.fields.iter().map(|field| &field.ty).collect();
                let values = record.fields.iter().map(|field| value.get(&field.name).unwrap_or(&Value::Null));
                self.fields(memory, &types, values, size)
            }
            TypeDefKind::Tuple(tuple) => {
                let types: Vec<&Type> = tuple.types.iter().collect();
                let values = (0..types.len()).map(|index| value.get(index).unwrap_or(&Value::Null));
                self.fields(memory, &types, values, size)
            }
            TypeDefKind::List(element) => match (words(value), value.as_array()) {
                (Some(words), _) => words,
                (None, None) => pair(0, 0),
                (None, Some(items)) => {
                    let stored: Vec<u8> = items.iter().flat_map(|item| self.store(memory, element, item)).collect();
                    let address = memory.place(&stored, self.sizes.align(element).align_wasm32());
                    pair(address, items.len())
                }
            },
            TypeDefKind::Enum(cases) => {
                let named = |name: &str| cases.cases.iter().position(|case| case.name == name).or_fail(name);
                vec![case(value).unwrap_or_else(|| value.as_str().map_or(0, |name| byte(named(name))))]
            }
            TypeDefKind::Option(ty) => {
                let some = (!value.is_null()).then_some((1, Some(ty), value));
                self.variant(memory, &[None, Some(ty)], some.unwrap_or((0, None, value)), size)
            }
            TypeDefKind::Result(result) => {
                let cases = [result.ok.as_ref(), result.err.as_ref()];
                let (index, name) = if value.get("err").is_some() { (1, "err") } else { (0, "ok") };
                let payload = cases.get(usize::from(index)).copied().flatten();
                self.variant(memory, &cases, (index, payload, value.get(name).unwrap_or(value)), size)
            }
            TypeDefKind::Variant(variant) => {
                let cases: Vec<Option<&Type>> = variant.cases.iter().map(|case| case.ty.as_ref()).collect();
                let (name, payload) = match value {
                    Value::Object(members) => members.iter().next().or_fail("a variant's case"),
                    name => return self.unit(variant, &cases, name, memory, size),
                };
                if let Some(index) = case(value) {
                    return self.variant(memory, &cases, (index, None, value), size);
                }
                let index = variant.cases.iter().position(|case| case.name == *name).or_fail(name);
                let ty = cases.get(index).copied().flatten();
                self.variant(memory, &cases, (byte(index), ty, payload), size)
            }
            other => fail(format_args!("the contract has no {} yet", other.as_str())),
        }
    }

    fn unit(
        &self,
        variant: &wit_parser::Variant,
        cases: &[Option<&Type>],
        name: &Value,
        memory: &mut Memory,
        size: usize,
    ) -> Vec<u8> {
        // The first case is the default.
        let index = match name.as_str() {
            Some(name) => variant.cases.iter().position(|case| case.name == name).or_fail(name),
            None => 0,
        };
        self.variant(memory, cases, (byte(index), cases.get(index).copied().flatten(), &Value::Null), size)
    }

    fn fields<'a>(
        &self,
        memory: &mut Memory,
        types: &[&Type],
        values: impl Iterator<Item = &'a Value>,
        size: usize,
    ) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(size);
        for ((offset, ty), value) in self.sizes.field_offsets(types.iter().copied()).into_iter().zip(values) {
            bytes.resize(offset.size_wasm32(), 0);
            bytes.extend(self.store(memory, ty, value));
        }
        bytes
    }

    fn variant(
        &self,
        memory: &mut Memory,
        cases: &[Option<&Type>],
        (index, payload, value): (u8, Option<&Type>, &Value),
        size: usize,
    ) -> Vec<u8> {
        let index = case(value).unwrap_or(index);
        let mut bytes = vec![index];
        if let (Some(ty), None) = (payload, case(value)) {
            bytes.resize(self.sizes.payload_offset(Int::U8, cases.iter().copied()).size_wasm32(), 0);
            bytes.extend(self.store(memory, ty, value));
        }
        padded(bytes, size)
    }
}

/// The low bytes of a number.
fn prefix(number: u64, size: usize) -> Vec<u8> {
    number.to_le_bytes().into_iter().take(size).collect()
}

fn padded(mut bytes: Vec<u8>, size: usize) -> Vec<u8> {
    bytes.resize(size, 0);
    bytes
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

fn byte(index: usize) -> u8 {
    u8::try_from(index).unwrap_or(u8::MAX)
}

fn case(value: &Value) -> Option<u8> {
    u8::try_from(value.get("$case")?.as_u64()?).ok()
}

fn raw_bytes(value: &Value) -> Option<Vec<u8>> {
    Some(value.get("$bytes")?.as_array()?.iter().map(|byte| u8::try_from(number(byte)).unwrap_or(u8::MAX)).collect())
}

fn words(value: &Value) -> Option<Vec<u8>> {
    let address = value.get("$at")?.as_u64().and_then(|at| u32::try_from(at).ok()).unwrap_or_default();
    let count = value.get("$count").map(number).unwrap_or_default();
    Some(pair(address, usize::try_from(count).unwrap_or(usize::MAX)))
}

fn pair(address: u32, count: usize) -> Vec<u8> {
    [address, u32::try_from(count).unwrap_or(u32::MAX)].map(u32::to_le_bytes).concat()
}
