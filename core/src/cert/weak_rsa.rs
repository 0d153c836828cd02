//! RSA signatures that aws-lc-rs does not verify: small keys and old hashes.
//!
//! OpenSSL accepts them where no verification is asked for, and old mail servers have them.
//! Verification handles public values only, so nothing here needs constant time.

use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Odd, Resize};

use super::der::{Reader, tag};
use super::digest::Digest;
use super::signature::{Hash, SignatureError};

/// Octets of the smallest modulus: nobody makes keys of less than 512 bits.
const SMALLEST: usize = 64;

/// Octets of the largest modulus: as large as aws-lc-rs takes.
const LARGEST: usize = 1024;

/// Octets of the largest public exponent; 65537 has three.
const EXPONENT_OCTETS: usize = 8;

/// Verifies RSASSA-PKCS1-v1_5 (RFC 8017 section 8.2.2) by the DER of an RSAPublicKey.
pub(super) fn verify_pkcs1(
    hash: Hash,
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), SignatureError> {
    verify_encoded(key, digest_info(hash), &digest(hash).of(&[message]), signature)
}

/// Verifies a signature by RSA as TLS had it before version 1.2: both digests, and nothing that
/// names them (RFC 4346 section 7.4.3).
pub(super) fn verify_md5_sha1(
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), SignatureError> {
    let digests = [Digest::Md5.of(&[message]), Digest::Sha1.of(&[message])].concat();
    verify_encoded(key, &[], &digests, signature)
}

fn verify_encoded(
    key: &[u8],
    prefix: &[u8],
    digest: &[u8],
    signature: &[u8],
) -> Result<(), SignatureError> {
    let encoded = recover(key, signature)?.0;
    // EMSA-PKCS1-v1_5: 00 01 ff .. ff 00 DigestInfo, at least eight times ff (RFC 8017 section 9.2).
    let padding = encoded.len().checked_sub(3 + prefix.len() + digest.len());
    let padding = padding.filter(|&octets| octets >= 8).ok_or(SignatureError::BadSignature)?;
    let expected = [&[0, 1], &vec![0xff; padding][..], &[0], prefix, digest].concat();
    if encoded == expected { Ok(()) } else { Err(SignatureError::BadSignature) }
}

/// Verifies RSASSA-PSS (RFC 8017 section 8.1.2) by the DER of an RSAPublicKey.
pub(super) fn verify_pss(
    hash: Hash,
    salt: u16,
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), SignatureError> {
    const BAD: SignatureError = SignatureError::BadSignature;
    let (encoded, modulus_bits) = recover(key, signature)?;
    let digest = digest(hash);
    // EMSA-PSS-VERIFY (RFC 8017 section 9.1.2); one bit less than the modulus, maybe one octet.
    let encoded_bits = modulus_bits - 1;
    let octets = encoded_bits.div_ceil(8);
    let (zeros, encoded) = encoded.split_at_checked(encoded.len() - octets).ok_or(BAD)?;
    let (body, trailer) = encoded.split_at_checked(octets.saturating_sub(1)).ok_or(BAD)?;
    let masked = body.len().checked_sub(digest.octets()).ok_or(BAD)?;
    let (masked, seed) = body.split_at_checked(masked).ok_or(BAD)?;
    if zeros.iter().any(|&octet| octet != 0) || trailer != [0xbc] {
        return Err(BAD);
    }
    let mut block: Vec<u8> =
        masked.iter().zip(mgf1(digest, seed, masked.len())).map(|(a, b)| a ^ b).collect();
    let unused = 8 * octets - encoded_bits;
    if let (Some(first), Some(masked)) = (block.first_mut(), masked.first()) {
        let mask = u8::try_from(0xff_u32 >> unused).unwrap_or(0xff);
        if masked & !mask != 0 {
            return Err(BAD);
        }
        *first &= mask;
    }
    let padding = block.len().checked_sub(usize::from(salt) + 1).ok_or(BAD)?;
    let (padding, salted) = block.split_at_checked(padding).ok_or(BAD)?;
    let Some((1, salt)) = salted.split_first() else { return Err(BAD) };
    if padding.iter().any(|&octet| octet != 0) {
        return Err(BAD);
    }
    let expected = digest.of(&[&[0; 8], &digest.of(&[message]), salt]);
    if expected == seed { Ok(()) } else { Err(BAD) }
}

/// MGF1 (RFC 8017 appendix B.2.1).
fn mgf1(digest: Digest, seed: &[u8], octets: usize) -> Vec<u8> {
    let blocks = (0_u32..).map(|counter| digest.of(&[seed, &counter.to_be_bytes()]));
    blocks.take(octets.div_ceil(digest.octets())).flatten().collect()
}

/// Computes RSAVP1 (RFC 8017 section 5.2.2): the encoded message, as long as the modulus, and the
/// bits of the modulus.
fn recover(key: &[u8], signature: &[u8]) -> Result<(Vec<u8>, usize), SignatureError> {
    const BAD: SignatureError = SignatureError::BadSignature;
    let mut fields = Reader::enter(key, tag::SEQUENCE).map_err(|_| BAD)?;
    let mut integer = || {
        let value = fields.expect(tag::INTEGER).map_err(|_| BAD)?.value;
        let zeros = value.iter().take_while(|&&octet| octet == 0).count();
        value.get(zeros..).ok_or(BAD)
    };
    let (modulus, exponent) = (integer()?, integer()?);
    let octets = modulus.len();
    if !(SMALLEST..=LARGEST).contains(&octets) || exponent.len() > EXPONENT_OCTETS {
        return Err(SignatureError::UnsupportedKey);
    }
    // Signatures have the length of the modulus (RFC 8017 section 8.2.2 step 1).
    if signature.len() != octets || signature >= modulus {
        return Err(BAD);
    }
    let bits = u32::try_from(octets * 8).map_err(|_| BAD)?;
    let number = |bytes| BoxedUint::from_be_slice(bytes, bits).map_err(|_| BAD);
    let modulus = number(modulus)?;
    let modulus_bits = usize::try_from(modulus.bits_vartime()).map_err(|_| BAD)?;
    let modulus = Option::<Odd<BoxedUint>>::from(Odd::new(modulus)).ok_or(BAD)?;
    let exponent = BoxedUint::from_be_slice(exponent, 64).map_err(|_| BAD)?;
    let params = BoxedMontyParams::new_vartime(modulus);
    let message = number(signature)?.resize(params.bits_precision());
    let power = BoxedMontyForm::new(message, &params).pow(&exponent).retrieve().to_be_bytes();
    let encoded = power.get(power.len().saturating_sub(octets)..).unwrap_or_default();
    Ok((encoded.to_vec(), modulus_bits))
}

const fn digest(hash: Hash) -> Digest {
    match hash {
        Hash::Md5 => Digest::Md5,
        Hash::Sha1 => Digest::Sha1,
        Hash::Sha224 => Digest::Sha224,
        Hash::Sha256 => Digest::Sha256,
        Hash::Sha384 => Digest::Sha384,
        Hash::Sha512 => Digest::Sha512,
    }
}

/// Tells the DER of DigestInfo before the digest itself (RFC 8017 section 9.2 note 1).
const fn digest_info(hash: Hash) -> &'static [u8] {
    match hash {
        Hash::Md5 => b"\x30\x20\x30\x0c\x06\x08\x2a\x86\x48\x86\xf7\x0d\x02\x05\x05\x00\x04\x10",
        Hash::Sha1 => b"\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14",
        Hash::Sha224 => {
            b"\x30\x2d\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x04\x05\x00\x04\x1c"
        }
        Hash::Sha256 => {
            b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"
        }
        Hash::Sha384 => {
            b"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30"
        }
        Hash::Sha512 => {
            b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40"
        }
    }
}
