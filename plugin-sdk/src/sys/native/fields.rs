//! Header fields, and what is refused of them.

use crate::error::{Reason, Refused};
use crate::name::{HeaderName, is_reserved, is_token};
use crate::request::Field;

pub(super) fn lines(fields: &[Field], name: Option<&str>) -> Vec<Field> {
    let wanted = |field: &&Field| name.is_none_or(|name| field.name.eq_ignore_ascii_case(name));
    fields.iter().filter(wanted).cloned().collect()
}

pub(super) fn joined(fields: &[Field], name: &str) -> Option<String> {
    let values: Vec<_> = lines(fields, Some(name)).into_iter().map(|field| field.value).collect();
    (!values.is_empty()).then(|| values.join(", "))
}

pub(super) fn set(fields: &mut Vec<Field>, name: &str, value: &str) -> Result<(), Refused> {
    check(name, value)?;
    remove(fields, name)?;
    append(fields, name, value)
}

pub(super) fn append(fields: &mut Vec<Field>, name: &str, value: &str) -> Result<(), Refused> {
    check(name, value)?;
    fields.push(Field { name: name.to_ascii_lowercase(), value: value.to_owned() });
    Ok(())
}

pub(super) fn remove(fields: &mut Vec<Field>, name: &str) -> Result<(), Refused> {
    check(name, "")?;
    fields.retain(|field| !field.name.eq_ignore_ascii_case(name));
    Ok(())
}

/// Of a request, a name's other spellings go with it, as in the gateway.
pub(super) fn remove_lookalikes(fields: &mut Vec<Field>, name: &str) {
    let Ok(name) = HeaderName::new(name) else { return };
    fields.retain(|field| !name.resembles(&field.name));
}

/// The gateway's rule (RFC 9110 sections 5.1 and 5.5).
pub(super) fn check(name: &str, value: &str) -> Result<(), Refused> {
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(invalid(name, "not a field name"));
    }
    if is_reserved(&name.to_ascii_lowercase()) {
        return Err(Refused { what: name.to_owned(), reason: Reason::Reserved });
    }
    if value.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') {
        return Err(invalid(name, "not a field value"));
    }
    Ok(())
}

pub(super) fn invalid(what: &str, why: &str) -> Refused {
    Refused { what: what.to_owned(), reason: Reason::Invalid(why.to_owned()) }
}

pub(super) fn not_granted_body() -> Refused {
    Refused { what: "the body".to_owned(), reason: Reason::NotGranted }
}
