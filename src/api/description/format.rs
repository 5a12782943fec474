//! Formats of integers as the OpenAPI registry of formats names them.
//!
//! utoipa writes `u-int32` where the registry has `uint32`.

use utoipa::openapi::schema::{ArrayItems, Object};
use utoipa::openapi::{KnownFormat, RefOr, Schema, SchemaFormat};

/// Puts the registered names into a schema and all within it.
pub(super) fn name(schema: &mut RefOr<Schema>) {
    let RefOr::T(schema) = schema else { return };
    match schema {
        Schema::Object(object) => name_in(object),
        Schema::Array(array) => {
            if let ArrayItems::RefOrSchema(items) = &mut array.items {
                name(items);
            }
        }
        Schema::OneOf(any) => any.items.iter_mut().for_each(name),
        Schema::AllOf(all) => all.items.iter_mut().for_each(name),
        Schema::AnyOf(any) => any.items.iter_mut().for_each(name),
        _ => (),
    }
}

fn name_in(object: &mut Object) {
    object.properties.values_mut().for_each(name);
    let registered = [
        (KnownFormat::UInt8, "uint8"),
        (KnownFormat::UInt16, "uint16"),
        (KnownFormat::UInt32, "uint32"),
        (KnownFormat::UInt64, "uint64"),
    ];
    for (known, registered) in registered {
        if object.format == Some(SchemaFormat::KnownFormat(known)) {
            object.format = Some(SchemaFormat::Custom(registered.to_owned()));
        }
    }
}
