package murre;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;

/** An authority and what it has signed, made with the JDK's keytool, as PEM files and as a trust store. */
final class Certificates {
  static final String PASSWORD = "of the trust store";
  private static final String AUTHORITY = "authority";

  private static final List<String> RSA = List.of("-keyalg", "RSA", "-keysize", "2048");
  /** Java writes such keys without their public half. */
  private static final List<String> ELLIPTIC = List.of("-keyalg", "EC", "-groupname", "secp256r1");

  private final Path folder;

  Certificates(Path folder) throws IOException, GeneralSecurityException {
    this.folder = folder;
    make(AUTHORITY, RSA, "-ext", "bc:c");
  }

  /** Makes a pair for this machine's server, and its files. */
  void server(String name) throws IOException, GeneralSecurityException {
    make(name, ELLIPTIC, "-signer", AUTHORITY, "-ext", "san=dns:localhost,ip:127.0.0.1");
  }

  /** Makes a pair for a client whose certificate names it, and its files. */
  void client(String name) throws IOException, GeneralSecurityException {
    make(name, RSA, "-signer", AUTHORITY);
  }

  /** Makes a pair that no authority has signed. */
  void stranger(String name) throws IOException, GeneralSecurityException {
    make(name, RSA);
  }

  String authority() {
    return certificate(AUTHORITY);
  }

  String certificate(String name) {
    return folder.resolve(name + ".pem").toString();
  }

  String key(String name) {
    return folder.resolve(name + ".key").toString();
  }

  /** A trust store with the authority alone. */
  String trustStore() throws IOException, GeneralSecurityException {
    KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
    trusted.load(null, null);
    trusted.setCertificateEntry(AUTHORITY, pairs().getCertificate(AUTHORITY));
    Path path = folder.resolve("trusted");
    try (OutputStream out = Files.newOutputStream(path)) {
      trusted.store(out, PASSWORD.toCharArray());
    }
    return path.toString();
  }

  private void make(String name, List<String> kind, String... options)
      throws IOException, GeneralSecurityException {
    var command = new ArrayList<>(List.of(
        Path.of(System.getProperty("java.home"), "bin", "keytool").toString(), "-genkeypair",
        "-keystore", folder.resolve("pairs").toString(), "-storepass", PASSWORD, "-alias", name,
        "-dname", "CN=" + name, "-validity", "2"));
    command.addAll(kind);
    command.addAll(List.of(options));
    Process made = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(made.getInputStream().readAllBytes());
    if (made.onExit().join().exitValue() != 0) {
      throw new IOException("keytool: " + output);
    }
    KeyStore pairs = pairs();
    write(certificate(name), "CERTIFICATE", pairs.getCertificate(name).getEncoded());
    write(key(name), "PRIVATE KEY", pairs.getKey(name, PASSWORD.toCharArray()).getEncoded());
  }

  private KeyStore pairs() throws IOException, GeneralSecurityException {
    return KeyStore.getInstance(folder.resolve("pairs").toFile(), PASSWORD.toCharArray());
  }

  private static void write(String path, String kind, byte[] der) throws IOException {
    String base64 = Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(der);
    Files.writeString(
        Path.of(path),
        "-----BEGIN " + kind + "-----\n" + base64 + "\n-----END " + kind + "-----\n");
  }
}
