package io.fluxdb.h2;

import org.h2.api.ErrorCode;
import org.h2.message.DbException;

/** What this server does not do, for nobody: its own accounts' views are compiled by an administrator at each start. */
public final class Closed {

    private Closed() {
    }

    /** The error for a function that would reach files or other servers. */
    public static DbException error(String function) {
        return DbException.get(ErrorCode.FEATURE_NOT_SUPPORTED_1, function + " (closed by fluxdb)");
    }
}
