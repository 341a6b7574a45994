//! JSON's grammar, written for a line that is nearly all text: a string is looked at once, many octets in one step, and
//! copied as it is where nothing in it needs an escape.
//!
//! Numbers, but for times, and what does need escapes are `serde_json`'s. Refuses to know events: names and order are theirs.

use core::fmt;
use std::io::{self, Write};

use serde::ser::{self, Error as _, Serialize};
use serde_json::{Error, ser::Formatter};

use super::epoch;
use crate::text::first_that_acts_or_hides;

/// Where a value is appended in JSON's shortest form, without what acts on a terminal or hides from a reader.
///
/// Octet for octet what `serde_json` writes, but for what [`Visible`] does otherwise. Names of a map must be texts.
pub struct Line<'a>(pub &'a mut Vec<u8>);

impl Line<'_> {
    fn text(self, text: &str) -> Result<(), Error> {
        if !is_plain(text.as_bytes()) {
            return text.serialize(&mut serde_json::Serializer::with_formatter(self.0, Visible));
        }
        self.unescaped(text);
        Ok(())
    }

    /// A text that needs no escape.
    #[inline]
    fn unescaped(self, text: &str) {
        debug_assert!(is_plain(text.as_bytes()), "{text}");
        self.0.push(b'"');
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(b'"');
    }
}

impl<'a> Line<'a> {
    #[inline]
    fn begin(self, begin: &str, end: &'static str) -> Parts<'a> {
        self.0.extend_from_slice(begin.as_bytes());
        Parts { out: self.0, is_first: true, end }
    }

    /// The one value of an object that an enum's variant names.
    fn variant(self, variant: &'static str, begin: &str, end: &'static str) -> Parts<'a> {
        let mut object = self.begin("{", "}");
        object.name(variant);
        Line(object.out).begin(begin, end)
    }
}

/// Whether a string of these octets is written as they are.
#[inline]
fn is_plain(text: &[u8]) -> bool {
    // All octets and not up to the first that is not: so the processor looks at many in one step, in the last step at some again.
    match text.last_chunk::<16>() {
        Some(last) => are_plain(text.as_chunks::<16>().0.as_flattened()) & are_plain(last),
        None => text.iter().fold(true, |plain, octet| plain & PLAIN[usize::from(*octet)]),
    }
}

#[inline]
fn are_plain(octets: &[u8]) -> bool {
    octets.iter().fold(true, |plain, octet| plain & needs_no_escape(*octet))
}

const fn needs_no_escape(octet: u8) -> bool {
    matches!(octet, b' '..=b'~') & (octet != b'"') & (octet != b'\\')
}

/// The same of every octet: of a few at a time it is told faster so.
static PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut octet = 0;
    while octet < plain.len() {
        plain[octet] = needs_no_escape(octet as u8);
        octet += 1;
    }
    plain
};

/// JSON's shortest form, but what acts on a terminal or hides from the reader is written as `\u202e`:
/// the same string to a program, and none to be fooled by where a person looks at the stream.
struct Visible;

impl Formatter for Visible {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = first_that_acts_or_hides(rest) {
            let (clean, hidden) = rest.split_at(at);
            out.write_all(clean.as_bytes())?;
            let mut characters = hidden.chars();
            if let Some(c) = characters.next() {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04x}")?;
                }
            }
            rest = characters.as_str();
        }
        out.write_all(rest.as_bytes())
    }
}

/// Names of ours are not longer than this, or else written octet by octet.
const LONGEST: usize = 28;

/// What stands between two brackets.
pub struct Parts<'a> {
    out: &'a mut Vec<u8>,
    is_first: bool,
    end: &'static str,
}

impl Parts<'_> {
    #[inline]
    fn separate(&mut self) {
        if !self.is_first {
            self.out.push(b',');
        }
        self.is_first = false;
    }

    /// A name of our own, which needs no escape. Put together with what stands around it first: so where it is known, all of
    /// it is written in a step or two.
    #[inline(always)]
    fn name(&mut self, name: &'static str) {
        let start = usize::from(self.is_first);
        self.is_first = false;
        let mut text = [b','; LONGEST + 4];
        let end = name.len() + 4;
        if let Some([before, place @ .., after, colon]) = text.get_mut(1..end) {
            (*before, *after, *colon) = (b'"', b'"', b':');
            place.copy_from_slice(name.as_bytes());
            self.out.extend_from_slice(&text[start..end]);
        } else {
            let comma = &text[start..1];
            self.out.extend([comma, b"\"", name.as_bytes(), b"\":"].into_iter().flatten());
        }
    }

    #[inline]
    fn element<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Error> {
        self.separate();
        value.serialize(Line(self.out))
    }

    /// Always inlined, as [`Parts::name`]: where the name is known, it is written in a step or two.
    #[inline(always)]
    fn field<T: ?Sized + Serialize>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        self.name(name);
        value.serialize(Line(self.out))
    }

    #[inline]
    fn close(self) -> Result<(), Error> {
        self.out.extend_from_slice(self.end.as_bytes());
        Ok(())
    }
}

/// Numbers and the like, as `serde_json` has them.
macro_rules! as_serde_json_does {
    ($($method:ident($value:ty)),+ $(,)?) => {
        $(fn $method(self, value: $value) -> Result<(), Error> {
            serde_json::Serializer::new(self.0).$method(value)
        })+
    };
}

impl<'a> ser::Serializer for Line<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Parts<'a>;
    type SerializeTuple = Parts<'a>;
    type SerializeTupleStruct = Parts<'a>;
    type SerializeTupleVariant = Parts<'a>;
    type SerializeMap = Parts<'a>;
    type SerializeStruct = Parts<'a>;
    type SerializeStructVariant = Parts<'a>;

    as_serde_json_does! {
        serialize_bool(bool), serialize_bytes(&[u8]),
        serialize_i8(i8), serialize_i16(i16), serialize_i32(i32), serialize_i64(i64), serialize_i128(i128),
        serialize_u8(u8), serialize_u16(u16), serialize_u32(u32), serialize_u64(u64), serialize_u128(u128),
        serialize_f32(f32),
    }

    fn serialize_f64(self, value: f64) -> Result<(), Error> {
        let Some(digits) = epoch::digits(value) else {
            return serde_json::Serializer::new(self.0).serialize_f64(value);
        };
        self.0.extend_from_slice(&digits);
        // Zeros at the end say nothing, but for the first after the point.
        let least = self.0.len() - 5;
        while self.0.len() > least && self.0.last() == Some(&b'0') {
            self.0.pop();
        }
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), Error> {
        self.text(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), Error> {
        self.text(value)
    }

    fn collect_str<T: ?Sized + fmt::Display>(self, value: &T) -> Result<(), Error> {
        self.0.push(b'"');
        let start = self.0.len();
        write!(self.0, "{value}").map_err(Error::io)?;
        if self.0.get(start..).is_some_and(is_plain) {
            self.0.push(b'"');
            return Ok(());
        }
        let text = String::from_utf8(self.0.split_off(start)).map_err(Error::custom)?;
        self.0.pop();
        self.text(&text)
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: ?Sized + Serialize>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.0.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Error> {
        self.unescaped(variant);
        Ok(())
    }

    fn serialize_newtype_struct<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        let mut object = self.begin("{", "}");
        object.field(variant, value)?;
        object.close()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Parts<'a>, Error> {
        Ok(self.begin("[", "]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Parts<'a>, Error> {
        Ok(self.begin("[", "]"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Parts<'a>, Error> {
        Ok(self.begin("[", "]"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts<'a>, Error> {
        Ok(self.variant(variant, "[", "]}"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Parts<'a>, Error> {
        Ok(self.begin("{", "}"))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Parts<'a>, Error> {
        Ok(self.begin("{", "}"))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts<'a>, Error> {
        Ok(self.variant(variant, "{", "}}"))
    }
}

impl ser::SerializeMap for Parts<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: ?Sized + Serialize>(&mut self, key: &T) -> Result<(), Error> {
        self.separate();
        let start = self.out.len();
        key.serialize(Line(self.out))?;
        match self.out.get(start) {
            Some(b'"') => Ok(()),
            _ => Err(Error::custom("a name must be a text")),
        }
    }

    fn serialize_value<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Error> {
        self.out.push(b':');
        value.serialize(Line(self.out))
    }

    fn end(self) -> Result<(), Error> {
        self.close()
    }
}

/// Every other kind of list and object: its trait, the method that adds a part, and what that takes.
macro_rules! parts {
    ($($kind:ident { $method:ident($($name:ident: $type:ty)?) => $add:ident }),+ $(,)?) => {
        $(impl ser::$kind for Parts<'_> {
            type Ok = ();
            type Error = Error;

            #[inline(always)]
            fn $method<T: ?Sized + Serialize>(&mut self, $($name: $type,)? value: &T) -> Result<(), Error> {
                self.$add($($name,)? value)
            }

            fn end(self) -> Result<(), Error> {
                self.close()
            }
        })+
    };
}

parts! {
    SerializeSeq { serialize_element() => element },
    SerializeTuple { serialize_element() => element },
    SerializeTupleStruct { serialize_field() => element },
    SerializeTupleVariant { serialize_field() => element },
    SerializeStruct { serialize_field(name: &'static str) => field },
    SerializeStructVariant { serialize_field(name: &'static str) => field },
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use proptest::prelude::*;
    use serde::Serialize;
    use serde_json::{Serializer, json};

    fn written<T: Serialize>(value: &T) -> Result<String, Error> {
        let mut out = Vec::new();
        value.serialize(Line(&mut out)).map(|()| String::from_utf8(out).unwrap())
    }

    /// What `serde_json` makes of it, told to show what hides.
    fn expected<T: Serialize>(value: &T) -> String {
        let mut out = Vec::new();
        value.serialize(&mut Serializer::with_formatter(&mut out, Visible)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[derive(Serialize)]
    enum Shape {
        Unit,
        New(f64),
        Tuple(u8, Option<char>),
        Struct { yes: bool, bounds: (i64, u64), nothing: (), a_name_longer_than_any_of_ours: u8 },
    }

    #[test]
    fn every_shape_is_written_as_serde_json_writes_it() {
        let shapes = [
            Shape::Unit,
            Shape::New(f64::NAN),
            Shape::New(0.1 + 0.2),
            Shape::New(-0.0),
            Shape::New(1e300),
            Shape::Tuple(0, None),
            Shape::Tuple(255, Some('\u{202e}')),
            Shape::Struct {
                yes: true,
                bounds: (i64::MIN, u64::MAX),
                nothing: (),
                a_name_longer_than_any_of_ours: 1,
            },
        ];
        for shape in &shapes {
            assert_eq!(written(shape).unwrap(), expected(shape));
        }
        assert_eq!(written(&shapes).unwrap(), expected(&shapes));
        let empty = json!({"list": [], "object": {}, "text": "", "": null});
        assert_eq!(written(&empty).unwrap(), expected(&empty));
    }

    #[test]
    fn displayed_text_is_escaped_too() {
        #[derive(Serialize)]
        struct Shown<'a>(#[serde(serialize_with = "shown")] &'a str);
        fn shown<S: ser::Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_str(text)
        }
        for text in ["10.77.0.2:80", "", "\"\\", "a\u{1b}[31m\u{202e}b\n"] {
            assert_eq!(written(&Shown(text)).unwrap(), expected(&text));
        }
    }

    #[test]
    fn a_name_that_is_no_text_is_refused() {
        assert!(written(&BTreeMap::from([(1, 2)])).is_err());
        assert!(written(&BTreeMap::from([(None::<u8>, 2)])).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_written_as_serde_json_writes_it(text in "([ -~]{0,20}|.|\\PC|\\pC|\"|\\\\){0,6}") {
            let value = json!({ text.clone(): [text] });
            prop_assert_eq!(written(&value).unwrap(), expected(&value));
        }

        #[test]
        fn any_time_is_written_as_serde_json_writes_it(micros in 0..5_000_000_000_000_000_u64, places in 0..8_u32) {
            for micros in [micros, micros - micros % 10_u64.pow(places)] {
                let time = micros as f64 / 1e6;
                for time in [time, time.next_up(), -time] {
                    prop_assert_eq!(written(&time).unwrap(), expected(&time));
                }
            }
        }

        #[test]
        fn any_number_is_written_as_serde_json_writes_it(real: f64, whole: i64, positive: u64) {
            prop_assert_eq!(written(&(real, whole, positive)).unwrap(), expected(&(real, whole, positive)));
        }
    }
}
