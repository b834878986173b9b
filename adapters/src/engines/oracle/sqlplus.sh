# Run by bash in the container, everything on stdin: user name, password, database (empty = the root), then statements.
IFS= read -r user
IFS= read -r password
IFS= read -r database
{
  printf '%s\n' 'set define off' 'set escape off' 'set sqlblanklines on' 'set pagesize 0' 'set heading off' \
    'set feedback off' 'set verify off' 'set echo off' 'set trimspool on' 'set trimout on' 'set tab off' 'set linesize 32767' \
    'whenever oserror exit failure' 'whenever sqlerror exit failure'
  printf 'connect "%s"/"%s"@//127.0.0.1:1521/%s\n' "$user" "$password" "${database:-FREE}"
  cat
  printf '\nexit\n'
} | sqlplus -S -L /nolog
