//! What serde asks for inside lists, mappings and choices.

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::decode::{Decoder, Place};
use super::failure::Failure;
use super::tree::{Entry, Node, Value};

/// The elements of a list that were not set aside.
pub(super) struct Items<'a, 'i> {
    pub(super) decoder: &'a Decoder<'a>,
    pub(super) items: &'i mut std::slice::Iter<'a, Node>,
}

impl<'de> SeqAccess<'de> for Items<'_, '_> {
    type Error = Failure;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Failure> {
        let decoder = self.decoder;
        let next = self.items.map(|node| Place { decoder, node }).find(|place| !place.is_aside());
        next.map(|place| seed.deserialize(place)).transpose()
    }
}

/// The entries of a mapping that were not set aside.
pub(super) struct Entries<'a> {
    pub(super) decoder: &'a Decoder<'a>,
    pub(super) rest: std::vec::IntoIter<&'a Entry>,
    pub(super) current: Option<&'a Entry>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Failure;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Failure> {
        self.current = self.rest.next();
        let Some(entry) = self.current else { return Ok(None) };
        seed.deserialize(entry.key.as_str().into_deserializer()).map(Some).map_err(|mut failure: Failure| {
            failure.node = Some(entry.node.id);
            failure.at = Some(entry.key_at);
            failure
        })
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Failure> {
        let Some(entry) = self.current.take() else {
            return Err(Failure::value("a value was asked for before its key".into()));
        };
        let compound = !matches!(entry.node.value, Value::Scalar(_));
        seed.deserialize(Place { decoder: self.decoder, node: &entry.node }).map_err(|mut failure| {
            // A list or mapping begins on the line after its key; the key is what people look for.
            if failure.node.is_none_or(|node| node == entry.node.id) && compound {
                failure.at = Some(entry.key_at);
            }
            failure
        })
    }
}

/// A word, or a mapping with one key.
pub(super) struct Choice<'a> {
    pub(super) name: &'a str,
    pub(super) inside: Option<Place<'a>>,
}

impl<'de, 'a> EnumAccess<'de> for Choice<'a> {
    type Error = Failure;
    type Variant = Inside<'a>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Inside<'a>), Failure> {
        let variant = seed.deserialize(self.name.into_deserializer())?;
        Ok((variant, Inside(self.inside)))
    }
}

/// What stands under that key.
pub(super) struct Inside<'a>(Option<Place<'a>>);

impl<'a> Inside<'a> {
    fn place(self) -> Result<Place<'a>, Failure> {
        self.0.ok_or_else(|| Failure::value("expected a mapping with one key".into()))
    }
}

impl<'de> VariantAccess<'de> for Inside<'_> {
    type Error = Failure;

    fn unit_variant(self) -> Result<(), Failure> {
        match self.0 {
            None => Ok(()),
            Some(place) => place.wrong("a plain word without settings"),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Failure> {
        seed.deserialize(self.place()?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Failure> {
        self.place()?.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        self.place()?.deserialize_struct("", fields, visitor)
    }
}
