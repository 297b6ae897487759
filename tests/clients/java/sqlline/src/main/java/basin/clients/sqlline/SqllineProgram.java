package basin.clients.sqlline;

import basin.clients.common.Checks;
import basin.clients.common.Expect;
import basin.clients.common.Target;
import basin.clients.common.TypeChecks;
import java.io.InputStream;
import java.util.List;
import java.util.Properties;

/** Checks Basin through sqlline. An argument runs only the checks that contain it. */
public final class SqllineProgram {
    private static final String POM = "/META-INF/maven/sqlline/sqlline/pom.properties";

    private SqllineProgram() {}

    public static void main(String[] arguments) throws Exception {
        Target target = new Target();
        Checks checks = new Checks(arguments);
        Properties pom = new Properties();
        try (InputStream file = SqllineProgram.class.getResourceAsStream(POM)) {
            pom.load(file);
        }
        checks.version("sqlline " + pom.getProperty("version"));
        connection(checks, target);
        CatalogChecks.run(checks, target);
        queries(checks, target);
        checks.absent("parameters", "the tool has no placeholders");
        ShownTypes shown = new ShownTypes(target);
        TypeChecks.run(checks, target, ShownLimits.all(), shown::of);
        InterruptChecks.run(checks, target);
        checks.finish();
    }

    private static void connection(Checks checks, Target target) {
        checks.check("connect", "user and password on the command line", () -> one(Sqlline.run(target, "SELECT 1 AS one;")));
        checks.check("connect", "!connect, with a password that has spaces", () -> one(Sqlline.run(
                "", "", "",
                List.of("!connect " + Sqlline.url(target) + " " + target.user + " \"" + target.password + "\"", "SELECT 1 AS one;"))));
        checks.check("connect", "a wrong password is refused", () -> Expect.contains(
                Sqlline.run(Sqlline.url(target), target.user, "wrong", List.of("SELECT 1 AS one;")).errors(),
                "the user name or the password is wrong"));
        checks.check("info", "!dbinfo", () -> {
            String printed = Sqlline.run(target, "!dbinfo").printed();
            Expect.that(printed.matches("(?s).*getDatabaseProductName\\s+Basin\n.*"), printed);
            Expect.that(printed.matches("(?s).*getDatabaseProductVersion\\s+\\d+\\.\\d+\\.\\d+.*"), printed);
            Expect.that(printed.matches("(?s).*getUserName\\s+" + target.user + "\n.*"), printed);
        });
        tls(checks, target);
    }

    private static void tls(Checks checks, Target target) {
        String authority = "tlsRootCerts=" + target.authority;
        String certificate = "&clientCertificate=" + target.clientCertificate + "&clientKey=" + target.clientKey;
        List<String> query = List.of("SELECT 1 AS one;");
        checks.check("tls", "the authority's certificate as PEM", () ->
                one(Sqlline.run(Sqlline.url(target.tlsAddress, authority), target.user, target.password, query)));
        checks.check("tls", "mTLS with a client certificate", () ->
                one(Sqlline.run(Sqlline.url(target.mtlsAddress, authority + certificate), target.user, target.password, query)));
        checks.check("tls", "without the authority's certificate it fails", () -> Expect.contains(
                Sqlline.run(Sqlline.url(target.tlsAddress, "useEncryption=true"), target.user, target.password, query).errors(),
                "certification path"));
    }

    private static void queries(Checks checks, Target target) {
        checks.check("query", "figures of the pack, and Chinese text", () -> {
            Sqlline.Output output = Sqlline.run(
                    target,
                    "SELECT count(*) AS n FROM health.city;",
                    "SELECT count(*) AS n FROM jhu.series;",
                    "SELECT code, name AS 省 FROM ref.province WHERE code < '13' ORDER BY code;");
            Expect.equal(output.table(), List.of(
                    List.of("n"), List.of("5247"), List.of("n"), List.of("101010"),
                    List.of("code", "省"), List.of("11", "北京市"), List.of("12", "天津市")));
        });
        checks.check("query", "statements that write", () -> {
            Sqlline.Output output = Sqlline.run(
                    target,
                    "CREATE OR REPLACE TABLE java_sqlline (n BIGINT, place VARCHAR);",
                    "INSERT INTO java_sqlline VALUES (1, '武汉市'), (2, NULL);",
                    "SELECT * FROM " + target.sandbox() + ".java_sqlline ORDER BY n;",
                    "DROP TABLE java_sqlline;");
            Expect.equal(output.table(), List.of(List.of("n", "place"), List.of("1", "武汉市"), List.of("2", Sqlline.NULL)));
        });
        checks.check("large", "3,131,310 rows, counted and summed", () -> {
            String from = " FROM jhu.series a CROSS JOIN ref.province b";
            List<List<String>> table = Sqlline.run(
                            target, "SELECT sum(a.confirmed) AS s" + from + ";", "!set incremental true", "SELECT a.confirmed" + from + ";")
                    .table();
            long sum = table.subList(3, table.size()).stream()
                    .filter(row -> !row.get(0).equals(Sqlline.NULL) && !row.get(0).equals("confirmed"))
                    .mapToLong(row -> Long.parseLong(row.get(0)))
                    .sum();
            long rows = table.stream().skip(3).filter(row -> !row.get(0).equals("confirmed")).count();
            Expect.equal(List.of(rows, String.valueOf(sum)), List.of(3_131_310L, table.get(1).get(0)));
        });
        error(checks, target, "an unknown column", "SELECT confirmd FROM health.city;", "confirmd");
        error(checks, target, "an unknown table", "SELECT * FROM health.village;", "health.village");
    }

    private static void error(Checks checks, Target target, String name, String sql, String text) {
        checks.check("error", name, () -> {
            Sqlline.Output output = Sqlline.run(target, sql, "SELECT 1 AS one;");
            Expect.contains(output.errors(), text);
            one(output);
        });
    }

    private static void one(Sqlline.Output output) {
        Expect.that(output.table().equals(List.of(List.of("one"), List.of("1"))), output.printed() + output.errors());
    }
}
