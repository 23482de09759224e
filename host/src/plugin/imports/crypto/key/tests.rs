use Algorithm::{Eddsa, Es256, Hs256, Hs512, Ps256, Rs256, Rs512};
use aws_lc_rs::{encoding::AsDer, rsa::KeySize};

use super::*;

const MESSAGE: &[u8] = b"header.payload";

fn sign(key: &Key, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, String> {
    let intake = key.intake(algorithm).ok_or_else(|| wrong_kind(algorithm))?;
    key.sign(algorithm, &taken(intake, message))
}

fn verify(key: &mut Key, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
    let intake = key.intake(algorithm);
    intake.is_some_and(|intake| key.verify(algorithm, &taken(intake, message), signature))
}

fn taken(intake: Intake, message: &[u8]) -> Message<'_> {
    let done = intake.take(message, |_, work| {
        work();
        Ok::<_, std::convert::Infallible>(())
    });
    done.unwrap()
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Modulus and exponent of a PKCS #1 public key: two DER integers in a sequence.
fn components(der: &[u8]) -> (Vec<u8>, Vec<u8>) {
    use x509_parser::asn1_rs::{FromDer, Integer, Sequence};
    let (_, sequence) = Sequence::from_der(der).unwrap();
    let (rest, n) = Integer::from_der(sequence.content.as_ref()).unwrap();
    let (_, e) = Integer::from_der(rest).unwrap();
    let unsigned = |integer: Integer<'_>| {
        let bytes: &[u8] = integer.as_ref();
        bytes.strip_prefix(&[0]).unwrap_or(bytes).to_vec()
    };
    (unsigned(n), unsigned(e))
}

/// Private and public form of a new key of each kind, as PEM.
fn pairs() -> [(String, String); 3] {
    let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let ec = EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let ed = Ed25519KeyPair::generate().unwrap();
    let private = |der: &[u8]| pem("PRIVATE KEY", der);
    let public = |der: &[u8]| pem("PUBLIC KEY", der);
    [
        (
            private(AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&rsa).unwrap().as_ref()),
            public(
                AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(rsa.public_key())
                    .unwrap()
                    .as_ref(),
            ),
        ),
        (
            private(ec.to_pkcs8v1().unwrap().as_ref()),
            public(
                AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(ec.public_key())
                    .unwrap()
                    .as_ref(),
            ),
        ),
        (
            private(ed.to_pkcs8v1().unwrap().as_ref()),
            public(
                AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(ed.public_key())
                    .unwrap()
                    .as_ref(),
            ),
        ),
    ]
}

#[test]
fn what_a_private_key_signs_its_public_key_verifies() {
    let algorithms: [&[Algorithm]; 3] = [&[Rs256, Rs512, Ps256], &[Es256], &[Eddsa]];
    for ((private, public), algorithms) in pairs().iter().zip(algorithms) {
        for algorithm in algorithms {
            let signed = sign(&Key::from_pem(private).unwrap(), *algorithm, MESSAGE).unwrap();
            let mut public = Key::from_pem(public).unwrap();
            assert!(verify(&mut public, *algorithm, MESSAGE, &signed), "{algorithm:?}");
            assert!(!verify(&mut public, *algorithm, b"header.other", &signed), "{algorithm:?}");
            assert!(sign(&public, *algorithm, MESSAGE).is_err(), "a public key cannot sign");
        }
    }
}

#[test]
fn a_key_never_verifies_another_kinds_algorithm() {
    for (_, public) in &pairs() {
        let mut key = Key::from_pem(public).unwrap();
        // The oldest trick: an HMAC with the public key's text as the secret.
        let forged = hmac::sign(&hmac_key(Hs256, public.as_bytes()), MESSAGE);
        assert!(!verify(&mut key, Hs256, MESSAGE, forged.as_ref()));
    }
    let mut secret = Key::from_secret(vec![7; 32]).unwrap();
    let signed = sign(&secret, Hs256, MESSAGE).unwrap();
    assert!(verify(&mut secret, Hs256, MESSAGE, &signed));
    assert!(!verify(&mut secret, Rs256, MESSAGE, &signed));
    assert!(!verify(&mut secret, Hs512, MESSAGE, &signed));
}

#[test]
fn a_jwk_is_the_same_key() {
    let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let (n, e) = components(rsa.public_key().as_ref());
    let jwk = serde_json::json!({ "kty": "RSA", "n": base64url(&n), "e": base64url(&e) });
    let signed = sign(&Key(Kind::RsaPair(Box::new(rsa))), Rs256, MESSAGE).unwrap();
    let mut key = Key::from_jwk(&jwk.to_string()).unwrap();
    assert!(verify(&mut key, Rs256, MESSAGE, &signed));

    let ec = EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let point = ec.public_key().as_ref().to_vec();
    let jwk = serde_json::json!({
        "kty": "EC", "crv": "P-256",
        "x": base64url(&point[1..33]), "y": base64url(&point[33..]),
    });
    let signed = sign(&Key(Kind::EcPair(256, Box::new(ec))), Es256, MESSAGE).unwrap();
    assert!(verify(&mut Key::from_jwk(&jwk.to_string()).unwrap(), Es256, MESSAGE, &signed));
}

#[test]
fn what_is_no_key_says_why() {
    for (jwk, reason) in [
        ("{}", "not a JWK"),
        (r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#, "2048 to 8192"),
        (r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#, "32 bytes"),
        (r#"{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}"#, "not known"),
        (r#"{"kty":"oct","k":"c2hvcnQ"}"#, "at least 16"),
        (r#"{"kty":"OKP","crv":"Ed25519"}"#, "no `x`"),
    ] {
        let error = Key::from_jwk(jwk).err().expect(jwk);
        assert!(error.contains(reason), "{jwk}: {error}");
    }
    assert!(Key::from_pem("nonsense").is_err());
}

#[test]
fn a_long_message_is_signed_as_a_short_one() {
    let message = vec![1; 3 * PIECE + 1];
    let mut secret = Key::from_secret(vec![7; 32]).unwrap();
    let signed = sign(&secret, Hs256, &message).unwrap();
    assert_eq!(signed, hmac::sign(&hmac_key(Hs256, &[7; 32]), &message).as_ref());
    assert!(verify(&mut secret, Hs256, &message, &signed));
    assert!(!verify(&mut secret, Hs256, &message[1..], &signed));

    let ec = EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let signed = ec.sign(&aws_lc_rs::rand::SystemRandom::new(), &message).unwrap();
    let mut pair = Key(Kind::EcPair(256, Box::new(ec)));
    assert!(verify(&mut pair, Es256, &message, signed.as_ref()));
    assert!(!verify(&mut pair, Es256, &message[1..], signed.as_ref()));
}

#[test]
fn what_takes_long_in_one_piece_is_refused() {
    let ed = Ed25519KeyPair::generate().unwrap();
    let message = vec![1; MAX_WHOLE + 1];
    let signed = ed.sign(&message);
    let mut pair = Key(Kind::Ed25519Pair(Box::new(ed)));
    assert!(!verify(&mut pair, Eddsa, &message, signed.as_ref()));
    assert_eq!(sign(&pair, Eddsa, &message).unwrap_err(), "EdDSA signs at most 4194304 bytes");
    assert!(sign(&pair, Eddsa, &message[1..]).is_ok());
    assert!(Key::from_secret(vec![7; MAX_SECRET]).is_ok());
    assert!(Key::from_secret(vec![7; MAX_SECRET + 1]).is_err());
}
