package org.h2.expression.function.table;

import io.fluxdb.h2.Closed;
import org.h2.engine.SessionLocal;
import org.h2.expression.Expression;
import org.h2.result.ResultInterface;

/** Instead of H2's own: LINK_SCHEMA is closed. */
public final class LinkSchemaFunction extends TableFunction {

    public LinkSchemaFunction() {
        super(new Expression[6]);
    }

    @Override
    public void optimize(SessionLocal session) {
        throw Closed.error(getName());
    }

    @Override
    public ResultInterface getValue(SessionLocal session) {
        throw Closed.error(getName());
    }

    @Override
    public ResultInterface getValueTemplate(SessionLocal session) {
        throw Closed.error(getName());
    }

    @Override
    public String getName() {
        return "LINK_SCHEMA";
    }

    @Override
    public boolean isDeterministic() {
        return false;
    }
}
