package murre;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** BASIC and TOKEN logins: users, tokens from a file, tokens of an issuer. */
class LoginTest {
  /** Colons, blanks and letters of other alphabets are all part of a password. */
  private static final String PASSWORD = "pferd: ärgert & 馬?";
  private static final String TOKEN = "0123456789abcdef0123456789abcdef";
  private static final Duration HOUR = Duration.ofHours(1);

  @TempDir private static Path folder;
  private static Issuer issuer;
  private static Server server;

  @BeforeAll
  static void start() throws Exception {
    issuer = new Issuer();
    Path tokens = Files.writeString(folder.resolve("tokens"), "loader " + TOKEN + "\n");
    Path keys = Files.writeString(folder.resolve("keys.json"), issuer.keySet());
    server = new Server(
        "--static-tokens", tokens.toString(), "--admins", "loader",
        "--jwt-keys", keys.toString(), "--jwt-issuer", Issuer.NAME, "--jwt-audience", Issuer.AUDIENCE);
    try (Connection loader = server.connect("token", TOKEN)) {
      Sql.update(loader, "CREATE USER ada PASSWORD '" + PASSWORD + "'");
      Sql.update(loader, "CREATE USER bob PASSWORD '" + PASSWORD + "'");
    }
  }

  @AfterAll
  static void stop() throws Exception {
    server.close();
  }

  /** What the server says to a login with `options`. */
  private static String refusal(String... options) {
    return Sql.said(assertThrows(SQLException.class, () -> server.connect(options).close()));
  }

  @Test
  void pitfall_2a_08_a_password_is_changed_for_a_token() throws SQLException {
    try (Connection ada = server.connect("user", "ada", "password", PASSWORD)) {
      assertEquals("ada", Sql.user(ada));
      assertEquals("ada", Sql.user(ada));
    }
  }

  @Test
  void pitfall_2a_08_a_login_in_the_url() throws SQLException {
    String password = URLEncoder.encode(PASSWORD, StandardCharsets.UTF_8);
    String url = server.url() + "/?useEncryption=false&user=bob&password=" + password;
    try (Connection bob = DriverManager.getConnection(url)) {
      assertEquals("bob", Sql.user(bob));
    }
  }

  @Test
  void pitfall_2a_08_a_token_from_a_file() throws SQLException {
    try (Connection loader = server.connect("token", TOKEN)) {
      assertEquals("loader", Sql.user(loader));
    }
  }

  @Test
  void pitfall_2a_08_a_token_of_an_issuer() throws Exception {
    try (Connection carol = server.connect("token", issuer.token("carol", Issuer.AUDIENCE, HOUR))) {
      assertEquals("carol", Sql.user(carol));
      var error = assertThrows(SQLException.class, () -> Sql.rows(carol, "SHOW USERS"));
      assertTrue(Sql.said(error).contains("only an administrator"), Sql.said(error));
    }
    // The issuer's name for a user of that name.
    try (Connection ada = server.connect("token", issuer.token("ada", Issuer.AUDIENCE, HOUR))) {
      assertEquals("ada", Sql.user(ada));
    }
  }

  @Test
  void a_token_wins_over_a_user() throws SQLException {
    try (Connection loader = server.connect("user", "ada", "password", "not hers", "token", TOKEN)) {
      assertEquals("loader", Sql.user(loader));
    }
  }

  @Test
  void wrong_credentials_are_refused_with_the_reason() throws Exception {
    // The same words for a wrong name and a wrong password.
    for (String user : List.of("ada", "nobody", "")) {
      String said = refusal("user", user, "password", "wrong");
      assertTrue(said.contains("user name or password is wrong"), said);
    }
    String other = new Issuer().token("ada", Issuer.AUDIENCE, HOUR);
    for (List<String> tokenAndReason : List.of(
        List.of(TOKEN.substring(1) + "x", "the token is not valid here"),
        List.of(issuer.token("ada", Issuer.AUDIENCE, HOUR.negated()), "the token has expired"),
        List.of(issuer.token("ada", "another server", HOUR), "for another audience"),
        List.of(other, "its signature is not of its issuer"))) {
      String said = refusal("token", tokenAndReason.get(0));
      assertTrue(said.contains(tokenAndReason.get(1)), said);
    }
  }

  @Test
  void without_credentials_nothing_is_answered() throws SQLException {
    // The driver says nothing when it connects: the first call is refused.
    try (Connection nobody = server.connect()) {
      var error = assertThrows(SQLException.class, () -> Sql.rows(nobody, "SELECT 1"));
      assertTrue(Sql.said(error).contains("no credentials"), Sql.said(error));
      assertThrows(Exception.class, () -> nobody.getMetaData().getCatalogs());
    }
  }

  @Test
  void the_first_user_closes_the_door_behind_it() throws Exception {
    try (Server fresh = new Server(); Connection nobody = fresh.connect()) {
      for (String[] early : new String[][] {
          {"user", "ada", "password", PASSWORD}, {"token", TOKEN}}) {
        var error = assertThrows(SQLException.class, () -> fresh.connect(early).close());
        assertTrue(Sql.said(error).contains("there are no users yet"), Sql.said(error));
      }
      assertEquals(null, Sql.user(nobody));
      // The statement can still be closed, and nothing else be done.
      Sql.update(nobody, "CREATE USER ada PASSWORD '" + PASSWORD + "'");
      var error = assertThrows(SQLException.class, () -> Sql.update(nobody, "SELECT 1"));
      assertTrue(Sql.said(error).contains("no credentials"), Sql.said(error));
      try (Connection ada = fresh.connect("user", "ada", "password", PASSWORD)) {
        assertEquals(List.of(List.of("ada", true)), Sql.rows(ada, "SHOW USERS"));
      }
    }
  }
}
