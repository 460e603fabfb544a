package murre;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.Date;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Time;
import java.sql.Timestamp;
import java.sql.Types;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** JDBC as applications use it. Tests are named after the pitfalls in integration/clients/README.md. */
class JdbcTest {
  /** Runs for hours, and gives rows from the start. */
  private static final String ENDLESS =
      "SELECT a.value FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b";
  /** Runs for hours before its one row. */
  private static final String SILENT =
      "SELECT sum(value) FROM generate_series(1, 9000000000000000)";

  private static Server server;
  private Connection connection;

  @BeforeAll
  static void start() throws Exception {
    server = new Server();
  }

  @AfterAll
  static void stop() throws Exception {
    server.close();
  }

  @BeforeEach
  void connect() throws SQLException {
    connection = server.connect();
  }

  @AfterEach
  void disconnect() throws SQLException {
    connection.close();
  }

  private int update(String sql) throws SQLException {
    return Sql.update(connection, sql);
  }

  private List<List<Object>> rows(String sql) throws SQLException {
    return Sql.rows(connection, sql);
  }

  @Test
  void pitfall_2a_01_a_prepared_insert_runs_once_however_it_is_run() throws SQLException {
    update("CREATE TABLE prepared (a INT)");
    try (var insert = connection.prepareStatement("INSERT INTO prepared VALUES (?)")) {
      insert.setInt(1, 1);
      // Drivers before 19 send this down the path of queries.
      insert.execute();
      assertEquals(List.of(List.of(1L)), rows("SELECT count(*) FROM prepared"));
      insert.setInt(1, 2);
      assertEquals(1, insert.executeUpdate());
    }
    assertEquals(List.of(List.of(2L, 3L)), rows("SELECT count(*), sum(a) FROM prepared"));
    update("DROP TABLE prepared");
  }

  @Test
  void pitfall_2a_02_updates_take_the_update_path() throws SQLException {
    try (Statement statement = connection.createStatement()) {
      assertFalse(statement.execute("CREATE TABLE counted (a INT, b VARCHAR)"));
      assertEquals(2, statement.executeUpdate("INSERT INTO counted VALUES (1, 'x'), (2, NULL)"));
      assertTrue(statement.execute("SELECT * FROM counted ORDER BY a"));
      assertEquals(
          List.of(Arrays.asList(1, "x"), Arrays.asList(2, null)), Sql.rows(statement.getResultSet()));
      statement.executeUpdate("DROP TABLE counted");
    }
  }

  @Test
  void pitfall_2a_03_columns_are_announced_as_they_arrive() throws SQLException {
    String sql = "SELECT value AS n, CASE WHEN value > 1 THEN 'x' END AS t FROM generate_series(1, 3)";
    try (var statement = connection.prepareStatement(sql)) {
      var announced = statement.getMetaData();
      try (var result = statement.executeQuery()) {
        var arrived = result.getMetaData();
        assertEquals(2, announced.getColumnCount());
        assertEquals(2, arrived.getColumnCount());
        for (int column = 1; column <= 2; column++) {
          assertEquals(announced.getColumnName(column), arrived.getColumnName(column));
          assertEquals(announced.getColumnType(column), arrived.getColumnType(column));
        }
      }
    }
  }

  @Test
  void values_of_every_kind_are_read() throws SQLException {
    var row = rows(
        "SELECT 1 AS i, CAST(2 AS SMALLINT) AS s, CAST(1.50 AS DECIMAL(10,2)) AS d, 'ä€😀' AS t, NULL AS n, true AS b,"
            + " DATE '2024-02-29' AS day, TIMESTAMP '2024-02-29 12:30:00' AS at, 1.5 AS f,"
            + " arrow_cast(18446744073709551615, 'UInt64') AS u, X'0aff' AS x").get(0);
    assertEquals(List.of(1L, (short) 2, new BigDecimal("1.50"), "ä€😀"), row.subList(0, 4));
    assertNull(row.get(4));
    assertEquals(true, row.get(5));
    assertEquals("2024-02-29", row.get(6).toString());
    assertEquals(Timestamp.valueOf("2024-02-29 12:30:00"), row.get(7));
    assertEquals(1.5, row.get(8));
    assertEquals(2, ((byte[]) row.get(10)).length);
  }

  @Test
  void values_are_read_by_their_getters() throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet row = statement.executeQuery(
            "SELECT TIME '12:30:45' AS t, [1, NULL, 3] AS l, CAST(1 AS DECIMAL(60, 2)) AS d, {'a': 1} AS s,"
                + " arrow_cast('2024-02-29T12:30:00Z', 'Timestamp(Millisecond, Some(\"UTC\"))') AS z,"
                + " INTERVAL '1' DAY AS i, arrow_cast(['x'], 'LargeList(Utf8)') AS ll, CAST(NULL AS INT) AS n")) {
      assertTrue(row.next());
      assertEquals("12:30:45", row.getTime("t").toString());
      assertArrayEquals(new Object[] {1L, null, 3L}, (Object[]) row.getArray("l").getArray());
      assertEquals(new BigDecimal("1.00"), row.getBigDecimal("d"));
      assertTrue(row.getString("s").contains("1"), row.getString("s"));
      assertEquals(Instant.parse("2024-02-29T12:30:00Z"), row.getTimestamp("z").toInstant());
      assertTrue(row.getObject("i") != null);
      assertEquals("[x]", Arrays.toString((Object[]) row.getArray("ll").getArray()));
      assertEquals(0, row.getInt("n"));
      assertTrue(row.wasNull());
    }
  }

  @Test
  void pitfall_2a_07_views_and_dictionaries_are_plain() throws SQLException {
    assertEquals(
        List.of(List.of("a view", "a word")),
        rows("SELECT arrow_cast('a view', 'Utf8View') AS v, arrow_cast('a word', 'Dictionary(Int32, Utf8)') AS d"));
  }

  @Test
  void pitfall_2a_04_question_mark() throws SQLException {
    try (var statement = connection.prepareStatement("SELECT '?' AS q, ? AS a WHERE 2 = ? OR ? IS NULL")) {
      assertEquals(3, statement.getParameterMetaData().getParameterCount());
      statement.setString(1, "one");
      statement.setLong(2, 2);
      statement.setString(3, "x");
      assertEquals(List.of(List.of("?", "one")), Sql.rows(statement.executeQuery()));
      statement.setString(1, "two");
      statement.setLong(2, 3);
      assertEquals(List.of(), Sql.rows(statement.executeQuery()));
    }
  }

  @Test
  void pitfall_2a_05_parameters_have_the_types_of_their_places() throws SQLException {
    update("CREATE TEMPORARY TABLE typed (i INT, l BIGINT, d DECIMAL(10,2), s VARCHAR, f DOUBLE, day DATE, b BOOLEAN)");
    try (var insert = connection.prepareStatement("INSERT INTO typed VALUES (?, ?, ?, ?, ?, ?, ?)")) {
      insert.setInt(1, 1);
      insert.setLong(2, 2);
      insert.setBigDecimal(3, new BigDecimal("3.25"));
      insert.setString(4, "four");
      insert.setDouble(5, 5.5);
      insert.setDate(6, Date.valueOf("2024-02-29"));
      insert.setBoolean(7, true);
      assertEquals(1, insert.executeUpdate());
      for (int index = 1; index <= 7; index++) {
        insert.setNull(index, Types.NULL);
      }
      assertEquals(1, insert.executeUpdate());
    }
    var all = rows("SELECT i, l, d, s, f, CAST(day AS VARCHAR), b FROM typed ORDER BY i NULLS LAST");
    assertEquals(List.of(1, 2L, new BigDecimal("3.25"), "four", 5.5, "2024-02-29", true), all.get(0));
    assertEquals(Arrays.asList(null, null, null, null, null, null, null), all.get(1));
    try (var select = connection.prepareStatement("SELECT l FROM typed WHERE d = ? AND day <= ? LIMIT ?")) {
      select.setBigDecimal(1, new BigDecimal("3.25"));
      select.setDate(2, Date.valueOf("2024-03-01"));
      select.setLong(3, 10);
      assertEquals(List.of(List.of(2L)), Sql.rows(select.executeQuery()));
    }
  }

  /** Binds a value, reads it as text, and binds NULL with the same column's type. */
  private void bound(String type, Setter setter, int nullType, String text) throws SQLException {
    update("CREATE OR REPLACE TABLE bound (a " + type + ")");
    try (var insert = connection.prepareStatement("INSERT INTO bound VALUES (?)")) {
      setter.set(insert);
      assertEquals(1, insert.executeUpdate(), type);
      insert.setNull(1, nullType);
      assertEquals(1, insert.executeUpdate(), type);
      insert.setObject(1, null);
      assertEquals(1, insert.executeUpdate(), type);
    }
    assertEquals(
        List.of(Arrays.asList(text, 3L)),
        rows("SELECT max(CAST(a AS VARCHAR)), count(*) FROM bound"), type);
    try (var select = connection.prepareStatement("SELECT count(*) FROM bound WHERE a = ?")) {
      setter.set(select);
      assertEquals(List.of(List.of(1L)), Sql.rows(select.executeQuery()), type);
    }
    update("DROP TABLE bound");
  }

  private interface Setter {
    void set(PreparedStatement statement) throws SQLException;
  }

  @Test
  void pitfall_2a_05_every_setter_finds_its_type() throws SQLException {
    bound("TINYINT", s -> s.setByte(1, (byte) -7), Types.TINYINT, "-7");
    bound("SMALLINT", s -> s.setShort(1, (short) 300), Types.SMALLINT, "300");
    bound("INT", s -> s.setInt(1, -70_000), Types.INTEGER, "-70000");
    bound("BIGINT", s -> s.setLong(1, 5_000_000_000L), Types.BIGINT, "5000000000");
    bound("INT UNSIGNED", s -> s.setLong(1, 3_000_000_000L), Types.BIGINT, "3000000000");
    bound("REAL", s -> s.setFloat(1, 0.5f), Types.REAL, "0.5");
    bound("DOUBLE", s -> s.setDouble(1, 0.25), Types.DOUBLE, "0.25");
    bound("DECIMAL(20, 4)", s -> s.setBigDecimal(1, new BigDecimal("12.3400")), Types.DECIMAL, "12.3400");
    bound("VARCHAR", s -> s.setString(1, "ä€😀"), Types.VARCHAR, "ä€😀");
    bound("BOOLEAN", s -> s.setBoolean(1, true), Types.BOOLEAN, "true");
    bound("DATE", s -> s.setDate(1, Date.valueOf("1969-12-31")), Types.DATE, "1969-12-31");
    bound(
        "TIMESTAMP", s -> s.setTimestamp(1, Timestamp.valueOf("1969-12-31 23:59:59.5")), Types.TIMESTAMP,
        "1969-12-31T23:59:59.500");
    // By class.
    bound("INT", s -> s.setObject(1, 7), Types.INTEGER, "7");
    bound("VARCHAR", s -> s.setObject(1, "seven"), Types.VARCHAR, "seven");
    bound("DECIMAL(5, 1)", s -> s.setObject(1, new BigDecimal("7.5")), Types.DECIMAL, "7.5");
    bound("DATE", s -> s.setObject(1, Date.valueOf("2024-02-29")), Types.DATE, "2024-02-29");
    // By class and type.
    bound("BIGINT", s -> s.setObject(1, "8", Types.BIGINT), Types.BIGINT, "8");
    bound("DOUBLE", s -> s.setObject(1, 8, Types.DOUBLE), Types.DOUBLE, "8.0");
  }

  @Test
  void pitfall_2a_05_bytes_and_lists_are_bound() throws SQLException {
    update("CREATE TEMPORARY TABLE nested (b BYTEA, l BIGINT[])");
    try (var insert = connection.prepareStatement("INSERT INTO nested VALUES (?, ?)")) {
      insert.setBytes(1, new byte[] {0, -1});
      insert.setArray(2, connection.createArrayOf("BIGINT", new Object[] {1L, 2L}));
      assertEquals(1, insert.executeUpdate());
      insert.setNull(1, Types.VARBINARY);
      insert.setNull(2, Types.ARRAY);
      assertEquals(1, insert.executeUpdate());
    }
    assertEquals(
        List.of(Arrays.asList("00ff", "[1, 2]"), Arrays.asList(null, null)),
        rows("SELECT encode(b, 'hex'), CAST(l AS VARCHAR) FROM nested ORDER BY 1 NULLS LAST"));
  }

  @Test
  void a_value_of_another_class_is_refused_and_the_statement_lives_on() throws SQLException {
    try (var statement = connection.prepareStatement("SELECT CAST(? AS INT) + 1")) {
      statement.setString(1, "one");
      assertThrows(Exception.class, statement::executeQuery);
      statement.setInt(1, 1);
      assertEquals(List.of(List.of(2L)), Sql.rows(statement.executeQuery()));
    }
  }

  @Test
  void pitfall_2a_06_timestamps_are_bound_as_they_are() throws SQLException {
    update("CREATE TEMPORARY TABLE moments (at TIMESTAMP)");
    try (var insert = connection.prepareStatement("INSERT INTO moments VALUES (?)")) {
      insert.setTimestamp(1, Timestamp.valueOf("2024-02-29 12:30:45.123"));
      assertEquals(1, insert.executeUpdate());
    }
    assertEquals(Timestamp.valueOf("2024-02-29 12:30:45.123"), rows("SELECT at FROM moments").get(0).get(0));
    try (var select = connection.prepareStatement("SELECT count(*) FROM moments WHERE at = ?")) {
      select.setTimestamp(1, Timestamp.valueOf("2024-02-29 12:30:45.123"));
      assertEquals(List.of(List.of(1L)), Sql.rows(select.executeQuery()));
    }
  }

  @Test
  void pitfall_2a_06_times_and_dates_of_milliseconds_are_bound_as_they_are() throws SQLException {
    try (var select = connection.prepareStatement("SELECT CAST(CAST(? AS TIME) AS VARCHAR)")) {
      select.setTime(1, Time.valueOf("12:30:45"));
      assertEquals(List.of(List.of("12:30:45")), Sql.rows(select.executeQuery()));
    }
    update("CREATE TEMPORARY TABLE days AS SELECT arrow_cast('2024-02-29', 'Date64') AS day");
    try (var select = connection.prepareStatement("SELECT count(*) FROM days WHERE day = ?")) {
      select.setDate(1, Date.valueOf("2024-02-29"));
      assertEquals(List.of(List.of(1L)), Sql.rows(select.executeQuery()));
    }
  }

  @Test
  void pitfall_2a_09_a_statement_is_bound_again_and_again() throws SQLException {
    try (var statement = connection.prepareStatement("SELECT value FROM generate_series(1, 100) WHERE value = ?")) {
      for (long wanted = 1; wanted <= 20; wanted++) {
        statement.setLong(1, wanted);
        assertEquals(List.of(List.of(wanted)), Sql.rows(statement.executeQuery()));
      }
    }
  }

  @Test
  void pitfall_2a_12_bodies_are_not_compressed() throws SQLException {
    // The driver has no decoder. Nothing compresses better than this.
    assertEquals(
        20_000, rows("SELECT repeat('x', 1000) AS s FROM generate_series(1, 20000)").size());
  }

  @Test
  void pitfall_2a_16_narrow_decimals_and_half_floats_are_widened() throws SQLException {
    assertEquals(
        List.of(List.of(new BigDecimal("1.50"), new BigDecimal("1.50"), 1.5d)),
        rows("SELECT arrow_cast(1.5, 'Decimal32(5, 2)') AS a, arrow_cast(1.5, 'Decimal64(10, 2)') AS b,"
            + " arrow_cast(1.5, 'Float16') AS c"));
  }

  @Test
  void pitfall_2a_17_a_batch_is_one_insert() throws SQLException {
    update("CREATE TABLE batched (a INT NOT NULL, b VARCHAR)");
    try (var insert = connection.prepareStatement("INSERT INTO batched VALUES (?, ?)")) {
      for (int row = 0; row < 1000; row++) {
        insert.setInt(1, row);
        if (row % 2 == 0) {
          insert.setString(2, "row " + row);
        } else {
          insert.setNull(2, Types.VARCHAR);
        }
        insert.addBatch();
      }
      // The driver gives the rows of all, not of each.
      assertArrayEquals(new int[] {1000}, insert.executeBatch());
      // A row that is refused takes the others along.
      for (Integer value : Arrays.asList(1, null, 3)) {
        insert.setObject(1, value);
        insert.setString(2, "refused");
        insert.addBatch();
      }
      var error = assertThrows(Exception.class, insert::executeBatch);
      assertTrue(Sql.said(error).contains("\"a\""), Sql.said(error));
    }
    assertEquals(
        List.of(List.of(1000L, 499500L, 500L)), rows("SELECT count(*), sum(a), count(b) FROM batched"));
    update("DROP TABLE batched");
  }

  @Test
  void pitfall_2a_15_commit_is_harmless() throws SQLException {
    connection.setAutoCommit(false);
    assertEquals(List.of(List.of(1L)), rows("SELECT 1"));
    try {
      connection.commit();
    } catch (SQLException refused) {
      // There is nothing to commit; the connection lives on.
    }
    assertEquals(List.of(List.of(2L)), rows("SELECT 2"));
    var error = assertThrows(SQLException.class, () -> update("BEGIN"));
    assertTrue(error.getMessage().contains("commits by itself"), error.getMessage());
  }

  @Test
  void pitfall_2a_18_a_query_that_is_given_up_stops() throws SQLException {
    try (Statement statement = connection.createStatement()) {
      var result = statement.executeQuery(ENDLESS);
      assertTrue(result.next());
      statement.cancel();
    }
    try (Connection watcher = server.connect()) {
      Sql.untilGone(watcher, "1000000");
    }
  }

  @Test
  void pitfall_2a_18_a_query_over_its_time_stops() throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.setQueryTimeout(1);
      var error = assertThrows(SQLException.class, () -> statement.executeQuery(SILENT));
      assertTrue(Sql.said(error).contains("timed out"), Sql.said(error));
    }
    // The driver keeps the stream until the connection ends.
    connection.close();
    try (Connection watcher = server.connect()) {
      Sql.untilGone(watcher, "9000000000000000");
    }
    connect();
  }

  @Test
  void rows_beyond_the_most_that_are_wanted_are_left() throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.setMaxRows(5);
      statement.setFetchSize(2);
      assertEquals(5, Sql.rows(statement.executeQuery(ENDLESS)).size());
    }
    try (Connection watcher = server.connect()) {
      Sql.untilGone(watcher, "1000000");
    }
  }

  @Test
  void known_wrong_2a_20_an_empty_result_has_its_columns_twice() throws SQLException {
    // The driver appends the announced columns to those it has, and clears them with the first row only; it passes
    // over batches without rows, so nothing that a server sends helps.
    try (Statement statement = connection.createStatement();
        var result = statement.executeQuery("SELECT 1 AS a, 'x' AS b WHERE false")) {
      assertEquals(4, result.getMetaData().getColumnCount());
      assertFalse(result.next());
    }
  }

  @Test
  void pitfall_2a_20_an_empty_result_of_a_prepared_statement_has_its_columns_once() throws SQLException {
    try (var statement = connection.prepareStatement("SELECT 1 AS a, 'x' AS b WHERE false");
        var result = statement.executeQuery()) {
      assertEquals(2, result.getMetaData().getColumnCount());
      assertEquals("b", result.getMetaData().getColumnName(2));
      assertFalse(result.next());
    }
  }

  @Test
  void each_connection_is_a_session() throws SQLException {
    update("CREATE TEMPORARY TABLE mine AS SELECT 1 AS a");
    update("SET datafusion.execution.batch_size = 100");
    try (Connection other = server.connect()) {
      assertThrows(SQLException.class, () -> Sql.rows(other, "SELECT * FROM mine"));
      assertEquals("16384", Sql.rows(other, "SHOW datafusion.execution.batch_size").get(0).get(1));
    }
    assertEquals(List.of(List.of(1L)), rows("SELECT * FROM mine"));
    assertEquals("100", rows("SHOW datafusion.execution.batch_size").get(0).get(1));
  }

  @Test
  void the_catalog_of_a_connection_is_ours_or_refused() throws SQLException {
    Connection named = server.connect("catalog", "murre");
    assertEquals(List.of(List.of(1L)), Sql.rows(named, "SELECT 1"));
    try {
      named.close();
    } catch (SQLException error) {
      // Drivers before 19 close the session twice, the second time without a connection.
      assertTrue(Sql.said(error).contains("shutdown"), Sql.said(error));
    }
    assertThrows(SQLException.class, () -> server.connect("catalog", "elsewhere").close());
  }

  @Test
  void options_that_the_driver_sends_on_as_headers_do_no_harm() throws SQLException {
    try (Connection named = server.connect("tenant", "x".repeat(20_000), "application-name", "report")) {
      assertEquals(List.of(List.of(1L)), Sql.rows(named, "SELECT 1"));
    }
  }

  @Test
  void errors_say_what_is_wrong() throws SQLException {
    for (String[] wrong : new String[][] {
        {"SELECT nothing", "nothing"},
        {"SELECT * FROM nowhere", "nowhere"},
        {"SELEC 1", "SELEC"},
        {"UPDATE t SET a = 1", "UPDATE"},
        {"SELECT 1 / 0", "zero"}}) {
      var error = assertThrows(Exception.class, () -> rows(wrong[0]));
      assertTrue(Sql.said(error).contains(wrong[1]), Sql.said(error));
    }
    assertEquals(List.of(List.of(1L)), rows("SELECT 1"));
  }
}
