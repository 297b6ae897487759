//! Signatures of tokens, checked with ring, which does the server's other cryptography already. It never signs.

use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::signature::{Error, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
    UnparsedPublicKey, VerificationAlgorithm,
};

use crate::config::TokenAlgorithm;

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(ErrorKind::UnsupportedAlgorithm.into()),
    verifier_factory: |algorithm, key| {
        let algorithm = TokenAlgorithm::named(*algorithm).ok_or(ErrorKind::UnsupportedAlgorithm)?;
        Ok(Box::new(RingVerifier { algorithm, key: key.clone() }))
    },
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes ring the cryptography of the token library, which has it per process.
pub(super) fn install() {
    // An error only says that it is installed already.
    let _ = PROVIDER.install_default();
}

struct RingVerifier {
    algorithm: TokenAlgorithm,
    key: DecodingKey,
}

impl JwtVerifier for RingVerifier {
    fn algorithm(&self) -> Algorithm {
        self.algorithm.into()
    }
}

impl Verifier<Vec<u8>> for RingVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        let rsa = |parameters| self.rsa(parameters, message, signature);
        let curve = |algorithm| self.curve(algorithm, message, signature);
        match self.algorithm {
            TokenAlgorithm::RS256 => rsa(&RSA_PKCS1_2048_8192_SHA256),
            TokenAlgorithm::RS384 => rsa(&RSA_PKCS1_2048_8192_SHA384),
            TokenAlgorithm::RS512 => rsa(&RSA_PKCS1_2048_8192_SHA512),
            TokenAlgorithm::PS256 => rsa(&RSA_PSS_2048_8192_SHA256),
            TokenAlgorithm::PS384 => rsa(&RSA_PSS_2048_8192_SHA384),
            TokenAlgorithm::PS512 => rsa(&RSA_PSS_2048_8192_SHA512),
            TokenAlgorithm::ES256 => curve(&ECDSA_P256_SHA256_FIXED),
            TokenAlgorithm::ES384 => curve(&ECDSA_P384_SHA384_FIXED),
            TokenAlgorithm::EdDSA => curve(&ED25519),
        }
    }
}

impl RingVerifier {
    fn rsa(
        &self,
        parameters: &'static RsaParameters,
        message: &[u8],
        signature: &[u8],
    ) -> std::result::Result<(), Error> {
        match self.key.kind() {
            DecodingKeyKind::RsaModulusExponent { n, e } => {
                let key = RsaPublicKeyComponents { n: without_zeros(n), e: without_zeros(e) };
                key.verify(parameters, message, signature).map_err(|_| Error::new())
            }
            DecodingKeyKind::SecretOrDer(_) => Err(Error::new()),
        }
    }

    fn curve(
        &self,
        algorithm: &'static dyn VerificationAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> std::result::Result<(), Error> {
        match self.key.kind() {
            DecodingKeyKind::SecretOrDer(point) => {
                UnparsedPublicKey::new(algorithm, point).verify(message, signature).map_err(|_| Error::new())
            }
            DecodingKeyKind::RsaModulusExponent { .. } => Err(Error::new()),
        }
    }
}

/// Some providers write a zero before a number whose first bit is set; ring takes none.
fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}
