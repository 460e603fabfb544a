package murre;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Encryption: certificates from files and the server's own, and certificates of clients. */
class TlsTest {
  private static final List<List<Object>> ONE = List.of(List.of(1L));

  @TempDir private static Path folder;
  private static Certificates certificates;
  /** With a certificate of the authority, and of clients it asks for one of the same. */
  private static Server server;
  private static Server selfSigned;
  private static Server plain;

  @BeforeAll
  static void start() throws Exception {
    certificates = new Certificates(folder);
    certificates.server("server");
    certificates.client("loader");
    certificates.stranger("stranger");
    server = new Server(
        "--tls-cert", certificates.certificate("server"), "--tls-key", certificates.key("server"),
        "--tls-client-ca", certificates.authority());
    selfSigned = new Server("--tls-self-signed");
    plain = new Server();
  }

  @AfterAll
  static void stop() throws Exception {
    server.close();
    selfSigned.close();
    plain.close();
  }

  private static Connection connect(Server to, String... options) throws SQLException {
    var all = new ArrayList<>(List.of("useEncryption", "true"));
    all.addAll(List.of(options));
    return to.connect(all.toArray(String[]::new));
  }

  /** What the first statement of a connection fails with. */
  private static String failure(Connection connection) throws SQLException {
    try (connection) {
      return Sql.said(assertThrows(SQLException.class, () -> Sql.rows(connection, "SELECT 1")));
    }
  }

  @Test
  void a_certificate_of_the_authority_s_in_a_trust_store() throws Exception {
    try (Connection loader = connect(
        server, "useSystemTrustStore", "false",
        "trustStore", certificates.trustStore(), "trustStorePassword", Certificates.PASSWORD,
        "clientCertificate", certificates.certificate("loader"), "clientKey", certificates.key("loader"))) {
      assertEquals(ONE, Sql.rows(loader, "SELECT 1"));
    }
  }

  @Test
  void a_client_is_who_its_certificate_says() throws SQLException {
    try (Connection loader = connect(
        server, "tlsRootCerts", certificates.authority(),
        "clientCertificate", certificates.certificate("loader"), "clientKey", certificates.key("loader"))) {
      assertEquals("loader", Sql.user(loader));
      var error = assertThrows(SQLException.class, () -> Sql.rows(loader, "SHOW USERS"));
      assertTrue(Sql.said(error).contains("only an administrator"), Sql.said(error));
    }
  }

  @Test
  void without_a_certificate_of_its_own_a_client_is_nobody() throws SQLException {
    String said = failure(connect(server, "tlsRootCerts", certificates.authority()));
    assertTrue(said.contains("no credentials"), said);
  }

  @Test
  void a_certificate_that_nobody_signed_opens_nothing() throws SQLException {
    String said = failure(connect(
        server, "tlsRootCerts", certificates.authority(),
        "clientCertificate", certificates.certificate("stranger"), "clientKey", certificates.key("stranger")));
    // Java does not show a certificate of which it knows that it is not wanted.
    assertTrue(said.contains("no credentials"), said);
  }

  @Test
  void the_server_s_own_certificate_by_the_url_it_prints() throws SQLException {
    try (Connection connection = DriverManager.getConnection(selfSigned.printedUrl())) {
      assertEquals(ONE, Sql.rows(connection, "SELECT 1"));
    }
    try (Connection connection = DriverManager.getConnection(plain.printedUrl())) {
      assertEquals(ONE, Sql.rows(connection, "SELECT 1"));
    }
  }

  @Test
  void a_certificate_that_is_not_checked() throws SQLException {
    try (Connection connection = connect(selfSigned, "disableCertificateVerification", "true")) {
      assertEquals(ONE, Sql.rows(connection, "SELECT 1"));
    }
  }

  @Test
  void a_certificate_that_is_not_trusted() throws SQLException {
    for (String[] options : new String[][] {{}, {"tlsRootCerts", certificates.authority()}}) {
      String said = failure(connect(selfSigned, options));
      assertTrue(said.contains("PKIX"), said);
    }
  }

  @Test
  void plaintext_to_a_port_of_TLS_fails_and_the_log_has_the_remedy() throws SQLException {
    String said = failure(selfSigned.connect());
    assertTrue(said.contains("closed") || said.contains("reset"), said);
    Sql.until("the log says nothing", () -> selfSigned.log().contains("leave useEncryption=false away"));
  }

  @Test
  void TLS_to_a_port_of_plaintext_fails_and_the_log_has_the_remedy() throws SQLException {
    String said = failure(connect(plain, "disableCertificateVerification", "true"));
    assertTrue(said.contains("closed") || said.contains("reset"), said);
    Sql.until("the log says nothing", () -> plain.log().contains("useEncryption=false"));
  }
}
