package org.h2.expression.function;

import io.fluxdb.h2.Closed;
import org.h2.engine.SessionLocal;
import org.h2.expression.Expression;
import org.h2.value.Value;

/** Instead of H2's own: CSVWRITE is closed. */
public final class CSVWriteFunction extends FunctionN {

    public CSVWriteFunction() {
        super(new Expression[4]);
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
        return "CSVWRITE";
    }
}
