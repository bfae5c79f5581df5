-- One line of JSON for each table (count and hash of its rows) and each object (definition).
-- Only what belongs to the database's users: not the system's, not an extension's members.
-- Columns that older servers lack are read by way of to_jsonb, which knows no unknown column.

BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL search_path = '';
SET LOCAL DateStyle = 'ISO, YMD';
SET LOCAL IntervalStyle = 'postgres';
SET LOCAL TimeZone = 'UTC';
SET LOCAL extra_float_digits = 3;
SET LOCAL bytea_output = 'hex';
SET LOCAL lc_monetary = 'C';
SET LOCAL xmlbinary = 'base64';
SET LOCAL quote_all_identifiers = off;
SET LOCAL statement_timeout = 0;
-- An error instead of rows that a policy hides.
SET LOCAL row_security = off;

-- The rows. Adding up hashes makes their order irrelevant and keeps duplicates apart.
SELECT format(
    'SELECT json_build_object(''table'', %L, ''rows'', count(*), ''content'', '
    'coalesce(sum((''x'' || left(h, 16))::bit(64)::bigint::numeric), 0) || '':'' || '
    'coalesce(sum((''x'' || right(h, 16))::bit(64)::bigint::numeric), 0)) '
    'FROM (SELECT md5((dilux_row.*)::text) AS h FROM ONLY %I.%I AS dilux_row) AS hashed',
    format('%I.%I', n.nspname, c.relname), n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE (c.relkind = 'r' OR (c.relkind = 'm' AND c.relispopulated))
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp_)'
  AND NOT EXISTS (SELECT FROM pg_depend e
                  WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
ORDER BY n.nspname, c.relname \gexec

-- Large objects, in pieces of 1 MiB.
WITH RECURSIVE piece AS (
    SELECT oid, 0::bigint AS number, lo_get(oid, 0, 1048576) AS data FROM pg_largeobject_metadata
    UNION ALL
    SELECT oid, number + 1, lo_get(oid, (number + 1) * 1048576, 1048576)
    FROM piece WHERE length(data) = 1048576),
hashed AS (SELECT number, md5(oid || ':' || number || ':' || md5(data)) AS h FROM piece)
SELECT json_build_object('table', '(large objects)', 'rows', count(*) FILTER (WHERE number = 0),
    'content', coalesce(sum(('x' || left(h, 16))::bit(64)::bigint::numeric), 0) || ':'
            || coalesce(sum(('x' || right(h, 16))::bit(64)::bigint::numeric), 0))
FROM hashed;

-- The values of sequences.
SELECT format(
    'SELECT json_build_object(''object'', %L, ''definition'', last_value || '' '' || is_called) '
    'FROM %I.%I',
    format('sequence value %I.%I', n.nspname, c.relname), n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'S'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp_)'
  AND NOT EXISTS (SELECT FROM pg_depend e
                  WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
ORDER BY n.nspname, c.relname \gexec

-- All definitions.
WITH member AS (
    SELECT classid, objid FROM pg_depend WHERE deptype = 'e'),
space AS (
    SELECT n.* FROM pg_namespace n
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')
      AND n.nspname !~ '^pg_(toast|temp_)'
      AND NOT EXISTS (SELECT FROM member m
                      WHERE m.classid = 'pg_namespace'::regclass AND m.objid = n.oid)),
relation AS (
    SELECT c.*, format('%I.%I', s.nspname, c.relname) AS name
    FROM pg_class c JOIN space s ON s.oid = c.relnamespace
    WHERE NOT EXISTS (SELECT FROM member m
                      WHERE m.classid = 'pg_class'::regclass AND m.objid = c.oid)),
routine AS (
    SELECT p.*, format('%I.%I(%s)', s.nspname, p.proname,
                       pg_get_function_identity_arguments(p.oid)) AS name,
           to_jsonb(p) ->> 'prokind' AS kind
    FROM pg_proc p JOIN space s ON s.oid = p.pronamespace
    WHERE NOT EXISTS (SELECT FROM member m
                      WHERE m.classid = 'pg_proc'::regclass AND m.objid = p.oid)),
usertype AS (
    SELECT t.*, format('%I.%I', s.nspname, t.typname) AS name
    FROM pg_type t JOIN space s ON s.oid = t.typnamespace
    WHERE NOT EXISTS (SELECT FROM member m
                      WHERE m.classid = 'pg_type'::regclass AND m.objid = t.oid)),
definition(object, definition) AS (
    SELECT 'database properties',
           concat_ws(E'\n', pg_encoding_to_char(d.encoding), d.datcollate, d.datctype,
                     to_jsonb(d) ->> 'datlocprovider',
                     coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale'),
                     to_jsonb(d) ->> 'daticurules', shobj_description(d.oid, 'pg_database'),
                     (SELECT string_agg(setting, E'\n' ORDER BY setting)
                      FROM pg_db_role_setting r, unnest(r.setconfig) AS setting
                      WHERE r.setdatabase = d.oid AND r.setrole = 0
                        AND split_part(setting, '=', 1) !~ '\.'))
    FROM pg_database d WHERE d.datname = current_database()
    UNION ALL
    SELECT format('schema %I', nspname), '' FROM space
    UNION ALL
    SELECT format('extension %I', e.extname), n.nspname
    FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
    UNION ALL
    SELECT CASE r.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table'
                          WHEN 'v' THEN 'columns of view' WHEN 'm' THEN 'columns of matview'
                          WHEN 'f' THEN 'foreign table' WHEN 'c' THEN 'composite type' END
               || ' ' || r.name,
           concat_ws(E'\n', r.relpersistence, r.relreplident, r.relrowsecurity::text,
                     r.relforcerowsecurity::text, r.relispopulated::text, r.reloptions::text,
                     pg_get_partkeydef(r.oid), pg_get_expr(r.relpartbound, r.oid),
                     (SELECT a.amname FROM pg_am a WHERE a.oid = r.relam),
                     (SELECT string_agg(format('inherits %s', i.inhparent::regclass), E'\n'
                                        ORDER BY i.inhseqno)
                      FROM pg_inherits i WHERE i.inhrelid = r.oid),
                     (SELECT string_agg(
                          concat_ws(' ', quote_ident(a.attname),
                                    format_type(a.atttypid, a.atttypmod),
                                    (SELECT format('collate %I', o.collname) FROM pg_collation o
                                     WHERE o.oid = a.attcollation),
                                    CASE WHEN a.attnotnull THEN 'not null' END,
                                    'identity:' || (to_jsonb(a) ->> 'attidentity'),
                                    'generated:' || (to_jsonb(a) ->> 'attgenerated'),
                                    'storage:' || a.attstorage::text,
                                    'compression:' || (to_jsonb(a) ->> 'attcompression'),
                                    -- Minor versions since 2026 keep a counter of changes here.
                                    (SELECT string_agg(option, ',' ORDER BY option)
                                     FROM unnest(a.attoptions) AS option
                                     WHERE option !~ '^pg_attver='),
                                    a.attfdwoptions::text,
                                    pg_get_expr(d.adbin, d.adrelid)),
                          E'\n' ORDER BY a.attnum)
                      FROM pg_attribute a
                      LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
                      WHERE a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped))
    FROM relation r WHERE r.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
    UNION ALL
    SELECT CASE r.relkind WHEN 'v' THEN 'view ' ELSE 'matview ' END || r.name,
           pg_get_viewdef(r.oid)
    FROM relation r WHERE r.relkind IN ('v', 'm')
    UNION ALL
    SELECT 'index ' || r.name,
           concat_ws(E'\n', pg_get_indexdef(i.indexrelid), i.indisvalid, i.indisreplident,
                     i.indisclustered)
    FROM relation r JOIN pg_index i ON i.indexrelid = r.oid
    UNION ALL
    SELECT 'sequence ' || r.name,
           concat_ws(' ', format_type(q.seqtypid, NULL), q.seqstart, q.seqincrement, q.seqmax,
                     q.seqmin, q.seqcache, q.seqcycle,
                     (SELECT format('owned by %s.%I %s', d.refobjid::regclass, a.attname, d.deptype)
                      FROM pg_depend d
                      JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
                      WHERE d.classid = 'pg_class'::regclass AND d.objid = r.oid
                        AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')))
    FROM relation r JOIN pg_sequence q ON q.seqrelid = r.oid
    UNION ALL
    SELECT format('constraint %I on %s', c.conname, r.name), pg_get_constraintdef(c.oid)
    FROM pg_constraint c JOIN relation r ON r.oid = c.conrelid
    UNION ALL
    SELECT format('constraint %I of domain %s', c.conname, t.name), pg_get_constraintdef(c.oid)
    FROM pg_constraint c JOIN usertype t ON t.oid = c.contypid
    UNION ALL
    SELECT format('trigger %I on %s', t.tgname, r.name),
           pg_get_triggerdef(t.oid) || ' ' || t.tgenabled::text
    FROM pg_trigger t JOIN relation r ON r.oid = t.tgrelid WHERE NOT t.tgisinternal
    UNION ALL
    SELECT format('rule %I on %s', w.rulename, r.name),
           pg_get_ruledef(w.oid) || ' ' || w.ev_enabled::text
    FROM pg_rewrite w JOIN relation r ON r.oid = w.ev_class WHERE w.rulename <> '_RETURN'
    UNION ALL
    SELECT format('policy %I on %s', p.polname, r.name),
           concat_ws(E'\n', p.polcmd, p.polpermissive::text,
                     (SELECT string_agg(CASE WHEN role = 0 THEN 'public'
                                             ELSE pg_get_userbyid(role)::text END, ','
                                        ORDER BY 1)
                      FROM unnest(p.polroles) AS role),
                     pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
    FROM pg_policy p JOIN relation r ON r.oid = p.polrelid
    UNION ALL
    SELECT format('statistics %I.%I', s.nspname, x.stxname), pg_get_statisticsobjdef(x.oid)
    FROM pg_statistic_ext x JOIN space s ON s.oid = x.stxnamespace
    UNION ALL
    SELECT 'routine ' || f.name, pg_get_functiondef(f.oid) FROM routine f WHERE f.kind <> 'a'
    UNION ALL
    SELECT 'aggregate ' || f.name,
           concat_ws(' ', a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn,
                     a.aggdeserialfn, format_type(a.aggtranstype, NULL), a.agginitval,
                     a.aggsortop::regoperator, a.aggkind)
    FROM routine f JOIN pg_aggregate a ON a.aggfnoid = f.oid
    UNION ALL
    SELECT 'enum ' || t.name,
           (SELECT string_agg(quote_literal(l.enumlabel), ',' ORDER BY l.enumsortorder)
            FROM pg_enum l WHERE l.enumtypid = t.oid)
    FROM usertype t WHERE t.typtype = 'e'
    UNION ALL
    SELECT 'domain ' || t.name,
           concat_ws(' ', format_type(t.typbasetype, t.typtypmod), t.typnotnull, t.typdefault,
                     (SELECT o.collname FROM pg_collation o WHERE o.oid = t.typcollation))
    FROM usertype t WHERE t.typtype = 'd'
    UNION ALL
    SELECT 'range ' || t.name,
           concat_ws(' ', format_type(g.rngsubtype, NULL), g.rngcanonical, g.rngsubdiff,
                     (SELECT o.collname FROM pg_collation o WHERE o.oid = g.rngcollation))
    FROM usertype t JOIN pg_range g ON g.rngtypid = t.oid
    UNION ALL
    SELECT format('event trigger %I', v.evtname),
           concat_ws(' ', v.evtevent, v.evtfoid::regprocedure, v.evtenabled, v.evttags)
    FROM pg_event_trigger v
    UNION ALL
    SELECT format('publication %I', p.pubname),
           concat_ws(' ', (to_jsonb(p) - 'oid' - 'pubowner')::text,
                     (SELECT string_agg(format('%I.%I', t.schemaname, t.tablename), ','
                                        ORDER BY t.schemaname, t.tablename)
                      FROM pg_publication_tables t WHERE t.pubname = p.pubname))
    FROM pg_publication p
    UNION ALL
    SELECT format('foreign server %I', f.srvname),
           concat_ws(' ', f.srvtype, f.srvversion, f.srvoptions::text)
    FROM pg_foreign_server f
    UNION ALL
    -- Rarer kinds: by name only.
    SELECT i.type || ' ' || i.identity, ''
    FROM (SELECT 'pg_operator'::regclass::oid AS class, oid FROM pg_operator
          UNION ALL SELECT 'pg_opclass'::regclass, oid FROM pg_opclass
          UNION ALL SELECT 'pg_opfamily'::regclass, oid FROM pg_opfamily
          UNION ALL SELECT 'pg_cast'::regclass, oid FROM pg_cast
          UNION ALL SELECT 'pg_conversion'::regclass, oid FROM pg_conversion
          UNION ALL SELECT 'pg_collation'::regclass, oid FROM pg_collation
          UNION ALL SELECT 'pg_language'::regclass, oid FROM pg_language
          UNION ALL SELECT 'pg_am'::regclass, oid FROM pg_am
          UNION ALL SELECT 'pg_transform'::regclass, oid FROM pg_transform
          UNION ALL SELECT 'pg_ts_config'::regclass, oid FROM pg_ts_config
          UNION ALL SELECT 'pg_ts_dict'::regclass, oid FROM pg_ts_dict
          UNION ALL SELECT 'pg_ts_parser'::regclass, oid FROM pg_ts_parser
          UNION ALL SELECT 'pg_ts_template'::regclass, oid FROM pg_ts_template
          UNION ALL SELECT 'pg_foreign_data_wrapper'::regclass, oid FROM pg_foreign_data_wrapper
         ) AS rare(class, oid)
    CROSS JOIN LATERAL pg_identify_object(rare.class, rare.oid, 0) AS i
    -- Numbers below are the system's own.
    WHERE rare.oid >= 16384
      AND NOT EXISTS (SELECT FROM member m WHERE m.classid = rare.class AND m.objid = rare.oid)
    UNION ALL
    SELECT 'comment on ' || i.type || ' ' || i.identity, d.description
    FROM pg_description d
    CROSS JOIN LATERAL pg_identify_object(d.classoid, d.objoid, d.objsubid) AS i
    WHERE (d.objoid >= 16384 OR d.classoid = 'pg_largeobject'::regclass)
      AND i.identity IS NOT NULL
      AND NOT EXISTS (SELECT FROM member m WHERE m.classid = d.classoid AND m.objid = d.objoid))
SELECT json_build_object('object', object, 'definition', coalesce(definition, ''))
FROM definition WHERE object IS NOT NULL;

COMMIT;
