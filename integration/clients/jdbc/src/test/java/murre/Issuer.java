package murre;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.Signature;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.Base64;

/** Signs JSON web tokens with a key of its own, as an OpenID Connect provider does. */
final class Issuer {
  static final String NAME = "https://issuer.test";
  static final String AUDIENCE = "murre";
  private static final int PUBLIC_KEY_BYTES = 32;

  private final KeyPair keys;

  Issuer() throws GeneralSecurityException {
    keys = KeyPairGenerator.getInstance("Ed25519").generateKeyPair();
  }

  /** The key set that servers fetch. */
  String keySet() {
    byte[] encoded = keys.getPublic().getEncoded();
    // The key stands at the end of its X.509 form.
    byte[] key = Arrays.copyOfRange(encoded, encoded.length - PUBLIC_KEY_BYTES, encoded.length);
    return "{\"keys\": [{\"kty\": \"OKP\", \"crv\": \"Ed25519\", \"kid\": \"one\", \"use\": \"sig\", \"x\": \""
        + base64(key) + "\"}]}";
  }

  /** A token for `user` that expires after `life`, which may lie in the past. */
  String token(String user, String audience, Duration life) throws GeneralSecurityException {
    String header = "{\"alg\": \"EdDSA\", \"kid\": \"one\"}";
    String claims = String.format(
        "{\"sub\": \"%s\", \"iss\": \"%s\", \"aud\": \"%s\", \"exp\": %d}",
        user, NAME, audience, Instant.now().plus(life).getEpochSecond());
    String signed = base64(header.getBytes(StandardCharsets.UTF_8)) + "."
        + base64(claims.getBytes(StandardCharsets.UTF_8));
    var signature = Signature.getInstance("Ed25519");
    signature.initSign(keys.getPrivate());
    signature.update(signed.getBytes(StandardCharsets.UTF_8));
    return signed + "." + base64(signature.sign());
  }

  private static String base64(byte[] bytes) {
    return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
  }
}
