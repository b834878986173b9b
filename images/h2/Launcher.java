package io.fluxdb.h2;

import java.io.IOException;
import java.io.Reader;
import java.lang.reflect.Field;
import java.net.Socket;
import java.net.SocketException;
import java.net.URL;
import java.net.URLConnection;
import java.net.URLStreamHandler;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Map;
import java.util.Set;
import java.util.UUID;

import org.h2.api.ErrorCode;
import org.h2.engine.Database;
import org.h2.engine.Engine;
import org.h2.tools.Server;
import org.h2.util.ScriptReader;

/**
 * Opens a database, brings its accounts and settings up to date, and serves it, without knowing anybody's password.
 *
 * <pre>Launcher DIRECTORY DATABASE SCRIPT FIRST_ACCOUNT [argument of org.h2.tools.Server]...</pre>
 *
 * H2 compiles views as an administrator when it opens a database, so nothing that this process can read may be secret, and
 * what would let such a view reach files or other servers is not here: see Closed.java, and the two factories below.
 */
public final class Launcher {

    /** Modes count for whoever opens a database; commits wait for the disk from the first session on. */
    private static final String MODE = ";MODE=PostgreSQL;WRITE_DELAY=0";

    private Launcher() {
    }

    public static void main(String[] args) throws Exception {
        URL.setURLStreamHandlerFactory(Launcher::urls);
        Path directory = Path.of(args[0]);
        Path script = Path.of(args[2]);
        if (!Files.exists(directory.resolve(args[1] + ".mv.db"))) {
            create(directory, args[1], script, args[3]);
        }
        // Without links and suffix: the name that H2 knows it by.
        String name = directory.toRealPath().resolve(args[1]).toString();
        Database database = open(name);
        run(database.getSystemSession().createConnection(false), script);
        Thread watch = new Thread(() -> endWith(name, database), "watch");
        watch.setDaemon(true);
        watch.start();
        String[] server = new String[args.length - 4];
        System.arraycopy(args, 4, server, 0, server.length);
        Server.main(server);
        closeNetwork();
    }

    /** Makes the database aside, so that a first start that is cut short begins again. Who makes it is its first account. */
    private static void create(Path directory, String name, Path script, String account) throws Exception {
        Path aside = directory.resolve(".new");
        Files.createDirectories(aside);
        Path file = aside.resolve(name + ".mv.db");
        Files.deleteIfExists(file);
        // The script gives the account the hash of its password; until then nobody knows this one, not even we.
        String password = UUID.randomUUID() + "-" + UUID.randomUUID();
        try (Connection made = DriverManager.getConnection("jdbc:h2:" + aside.resolve(name) + MODE, account, password)) {
            run(made, script);
            try (Statement end = made.createStatement()) {
                end.execute("SHUTDOWN");
            }
        }
        Files.move(file, directory.resolve(name + ".mv.db"), StandardCopyOption.ATOMIC_MOVE);
        try (var left = Files.list(aside)) {
            for (Path each : left.toList()) {
                Files.delete(each);
            }
        }
        Files.delete(aside);
    }

    /**
     * Opens the database and leaves it open, with nobody in it: who names a realm is refused only after that, since no
     * database of ours has an authenticator.
     */
    private static Database open(String name) throws ReflectiveOperationException, SQLException {
        try (Connection none = DriverManager.getConnection("jdbc:h2:" + name + MODE + ";IFEXISTS=TRUE;AUTHREALM=NONE")) {
            throw new IllegalStateException("the database has let in nobody in particular");
        } catch (SQLException e) {
            if (e.getErrorCode() != ErrorCode.AUTHENTICATOR_NOT_AVAILABLE) {
                throw e;
            }
        }
        Database database = opened(name);
        if (database == null) {
            throw new IllegalStateException("the database is not open");
        }
        return database;
    }

    /** What is open under this name. H2 keeps it in a private map, with an entry for each name that anybody has tried. */
    private static Database opened(String name) throws ReflectiveOperationException {
        Field all = Engine.class.getDeclaredField("DATABASES");
        all.setAccessible(true);
        Map<?, ?> databases = (Map<?, ?>) all.get(null);
        Object holder;
        synchronized (databases) {
            holder = databases.get(name);
        }
        if (holder == null) {
            return null;
        }
        Field held = holder.getClass().getDeclaredField("database");
        held.setAccessible(true);
        return (Database) held.get(holder);
    }

    /** A statement that the database does not take is told in the log; the others count all the same. */
    private static void run(Connection connection, Path script) throws IOException, SQLException {
        try (Reader text = Files.newBufferedReader(script); Statement statement = connection.createStatement()) {
            ScriptReader statements = new ScriptReader(text);
            statements.setSkipRemarks(true);
            for (String sql = statements.readStatement(); sql != null; sql = statements.readStatement()) {
                if (sql.isBlank()) {
                    continue;
                }
                try {
                    statement.execute(sql);
                } catch (SQLException e) {
                    System.err.println("not taken: " + e.getErrorCode() + " in " + sql.strip().split("\\s+", 4)[0]);
                }
            }
        }
        if (!connection.getAutoCommit()) {
            connection.commit();
        }
    }

    /**
     * H2 closes a database that it can no longer write, and the next client would open it again, without the mode and the
     * durability that it was opened with here. The process ends instead, and is started anew.
     */
    private static void endWith(String name, Database database) {
        try {
            while (opened(name) == database) {
                Thread.sleep(50);
            }
        } catch (ReflectiveOperationException | InterruptedException e) {
            e.printStackTrace();
        }
        System.err.println("the database is closed");
        System.exit(3); // waits for ever where the process is ending anyway
    }

    private static final Set<String> LOCAL = Set.of("file", "jar", "jrt");

    /** CSV, scripts and the like may be named by URLs. */
    private static URLStreamHandler urls(String protocol) {
        if (LOCAL.contains(protocol)) {
            return null;
        }
        return new URLStreamHandler() {
            @Override
            protected URLConnection openConnection(URL url) throws IOException {
                throw new IOException("this server reads no URLs");
            }
        };
    }

    /** From here on this process takes connections and makes none: a server that listens needs no client's socket. */
    @SuppressWarnings("deprecation")
    private static void closeNetwork() throws IOException {
        Socket.setSocketImplFactory(() -> {
            throw new java.io.UncheckedIOException(new SocketException("this server calls no others"));
        });
    }
}
