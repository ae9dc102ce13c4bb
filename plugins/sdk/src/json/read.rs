use super::Json;

/// Deep enough for any provider's response, and far from what the sandbox's stack can hold.
const MAX_DEPTH: u32 = 64;

impl Json {
    /// Parses JSON (RFC 8259), nested at most 64 deep.
    ///
    /// # Errors
    /// The number of bytes that could be read.
    pub fn parse(bytes: &[u8]) -> Result<Self, usize> {
        let mut reader = Reader { rest: bytes };
        let value = reader.value(MAX_DEPTH);
        reader.space();
        match value {
            Some(value) if reader.rest.is_empty() => Ok(value),
            _ => Err(bytes.len() - reader.rest.len()),
        }
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: u32) -> Option<Json> {
        self.space();
        match self.rest.first()? {
            b'{' => self.object(depth.checked_sub(1)?),
            b'[' => self.list(depth.checked_sub(1)?),
            b'"' => self.text().map(Json::Text),
            b't' => self.word(b"true", Json::Boolean(true)),
            b'f' => self.word(b"false", Json::Boolean(false)),
            b'n' => self.word(b"null", Json::Null),
            _ => self.number(),
        }
    }

    fn object(&mut self, depth: u32) -> Option<Json> {
        self.eat(b'{')?;
        let mut members = Vec::new();
        if self.eat(b'}').is_some() {
            return Some(Json::Object(members));
        }
        loop {
            self.space();
            let name = self.text()?;
            self.eat(b':')?;
            members.push((name, self.value(depth)?));
            if self.eat(b',').is_none() {
                self.eat(b'}')?;
                return Some(Json::Object(members));
            }
        }
    }

    fn list(&mut self, depth: u32) -> Option<Json> {
        self.eat(b'[')?;
        let mut items = Vec::new();
        if self.eat(b']').is_some() {
            return Some(Json::List(items));
        }
        loop {
            items.push(self.value(depth)?);
            if self.eat(b',').is_none() {
                self.eat(b']')?;
                return Some(Json::List(items));
            }
        }
    }

    fn word(&mut self, word: &[u8], value: Json) -> Option<Json> {
        self.rest = self.rest.strip_prefix(word)?;
        Some(value)
    }

    fn number(&mut self) -> Option<Json> {
        let start = self.rest;
        self.next_if(|byte| byte == b'-');
        if self.next_if(|byte| byte == b'0').is_none() {
            self.digits()?;
        }
        if self.next_if(|byte| byte == b'.').is_some() {
            self.digits()?;
        }
        if self.next_if(|byte| matches!(byte, b'e' | b'E')).is_some() {
            self.next_if(|byte| matches!(byte, b'+' | b'-'));
            self.digits()?;
        }
        let number = start.get(..start.len() - self.rest.len())?;
        std::str::from_utf8(number).ok().map(|number| Json::Number(number.to_owned()))
    }

    fn digits(&mut self) -> Option<()> {
        self.next_if(|byte| byte.is_ascii_digit())?;
        while self.next_if(|byte| byte.is_ascii_digit()).is_some() {}
        Some(())
    }

    fn text(&mut self) -> Option<String> {
        self.rest = self.rest.strip_prefix(b"\"")?;
        let mut text = String::new();
        loop {
            text.push_str(self.plain()?);
            match self.next()? {
                b'"' => return Some(text),
                b'\\' => text.push(self.escape()?),
                // In strings, control characters are allowed as escapes only.
                _ => return None,
            }
        }
    }

    /// The bytes up to the next one that has a meaning in a string: most strings are one such piece.
    fn plain(&mut self) -> Option<&'a str> {
        let is_plain = |byte: &u8| !matches!(byte, b'"' | b'\\' | 0..=0x1f);
        let length = self.rest.iter().position(|byte| !is_plain(byte)).unwrap_or(self.rest.len());
        let (plain, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        std::str::from_utf8(plain).ok()
    }

    fn escape(&mut self) -> Option<char> {
        Some(match self.next()? {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.code_point(),
            byte @ (b'"' | b'\\' | b'/') => byte.into(),
            _ => return None,
        })
    }

    /// `\u00e9`, or a character beyond the basic plane in two halves: `\ud83d\ude00`.
    fn code_point(&mut self) -> Option<char> {
        let high = self.code_unit()?;
        if !(0xd800..0xdc00).contains(&high) {
            return char::from_u32(high);
        }
        self.rest = self.rest.strip_prefix(b"\\u")?;
        let low = self.code_unit()?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
        char::from_u32(0x10000 + (high - 0xd800) * 0x400 + low)
    }

    fn code_unit(&mut self) -> Option<u32> {
        (0..4).try_fold(0, |unit, _| Some(unit * 16 + char::from(self.next()?).to_digit(16)?))
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        self.space();
        self.next_if(|next| next == byte).map(|_| ())
    }

    fn space(&mut self) {
        while self.next_if(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).is_some() {}
    }

    fn next(&mut self) -> Option<u8> {
        self.next_if(|_| true)
    }

    fn next_if(&mut self, wanted: impl Fn(u8) -> bool) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        if !wanted(*first) {
            return None;
        }
        self.rest = rest;
        Some(*first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same value as the library that the rest of the world reads JSON with understands it.
    fn same(ours: &Json, theirs: &serde_json::Value) -> bool {
        match (ours, theirs) {
            (Json::Null, serde_json::Value::Null) => true,
            (Json::Boolean(a), serde_json::Value::Bool(b)) => a == b,
            (Json::Text(a), serde_json::Value::String(b)) => a == b,
            (Json::Number(a), serde_json::Value::Number(b)) => a.parse::<f64>().ok() == b.as_f64(),
            (Json::List(a), serde_json::Value::Array(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
            }
            (Json::Object(a), serde_json::Value::Object(b)) => {
                a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| same(a, b)))
            }
            _ => false,
        }
    }

    fn value() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<f64>().prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read_back(value in value(), pretty: bool) {
            let text = if pretty { format!("{value:#}") } else { value.to_string() };
            prop_assert!(same(&Json::parse(text.as_bytes()).unwrap(), &value), "{text}");
        }

        #[test]
        fn text_that_is_nearly_json_is_judged_like_elsewhere(text in r#"[\[\]{}",:\\ua0-9eE+.\-tfn \n]{0,12}"#) {
            let theirs = serde_json::from_str::<serde_json::Value>(&text);
            // Numbers beyond the range of a double are numbers here, and errors there.
            if !theirs.as_ref().is_err_and(|error| error.to_string().contains("out of range")) {
                prop_assert_eq!(Json::parse(text.as_bytes()).is_ok(), theirs.is_ok(), "{}", text);
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = Json::parse(&bytes);
        }
    }

    #[test]
    fn escapes_are_read_and_broken_ones_refused() {
        let read = |text: &str| Json::parse(text.as_bytes()).ok();
        assert_eq!(
            read(r#""\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00é""#),
            Some(Json::Text("\"\\/\u{8}\u{c}\n\r\té😀é".to_owned()))
        );
        for broken in
            [r#""\x""#, r#""\u12""#, r#""\ud83d""#, r#""\ud83d\u0041""#, r#""\ude00""#, "\"\n\"", "\"", "\"\\"]
        {
            assert_eq!(read(broken), None, "{broken}");
        }
    }

    #[test]
    fn a_number_keeps_all_of_its_digits() {
        let id = "123456789012345678901234567890";
        assert_eq!(Json::parse(id.as_bytes()), Ok(Json::Number(id.to_owned())));
    }

    #[test]
    fn nesting_ends_before_the_stack_does() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Json::parse(nested(64).as_bytes()).is_ok());
        assert!(Json::parse(nested(65).as_bytes()).is_err());
        assert!(Json::parse("[".repeat(1 << 20).as_bytes()).is_err());
    }

    #[test]
    fn an_error_tells_how_far_it_got() {
        assert_eq!(Json::parse(b"<html>"), Err(0));
        assert_eq!(Json::parse(b"{\"a\": nope}"), Err(6));
        assert_eq!(Json::parse(b"{} {}"), Err(3));
    }
}
