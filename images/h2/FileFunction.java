package org.h2.expression.function;

import io.fluxdb.h2.Closed;
import org.h2.engine.SessionLocal;
import org.h2.expression.Expression;
import org.h2.value.Value;

/** Instead of H2's own: FILE_READ and FILE_WRITE are closed. */
public final class FileFunction extends Function1_2 {

    public static final int FILE_READ = 0;
    public static final int FILE_WRITE = 1;

    private final int function;

    public FileFunction(Expression first, Expression second, int function) {
        super(first, second);
        this.function = function;
    }

    @Override
    public Value getValue(SessionLocal session) {
        throw Closed.error(getName());
    }

    @Override
    public Expression optimize(SessionLocal session) {
        throw Closed.error(getName());
    }

    @Override
    public String getName() {
        return function == FILE_READ ? "FILE_READ" : "FILE_WRITE";
    }
}
