/* service_wait: sleeping and waking of request and reply, and replies that are streamed (decision 0010).
 *
 * Servers sleep on `items`, clients without a record on `space`, a client with a call on its record's `answer`, a server that has no room for its next part on its record's `attention`; all on `deaths` too.  Each word is
 * a number and a mark.  Who waits sets the mark, looks again, and sleeps on the value that it saw.  Who changes a record's state, or `written` or `read`, looks at the mark of the word then.  Of `items` and `space` it wakes
 * one, and takes the mark away and wakes all if nobody was queued, as in shared_queue_wait; of `answer` and `attention` it takes the mark away and wakes all, always in one system call.  Who goes without a record or a call
 * (GIVEUP) and has slept passes the wake-up on; who gives up its call cancels it.
 * A reply may come in PARTS: the server stores `written` when there is room for another part, the client takes it and stores `read`; `replied` is the end.
 * SIGKILL before any statement of whoever is KILLABLE: a dead sleeper leaves the queue, its records are repaired, then `deaths` moves, then all are woken.  Who was woken by `deaths` or its deadline stays queued until it
 * runs, and may swallow a wake-up there.  The kernel wakes any one of a queue.
 *
 * Abstract here: the table and its ring (service): a record is claimed in one step and taken in one step; the announcer does not die (peers); the repair is one step; the barrier: who is dead has stopped.
 *
 *   bounds        N records, M0 and M1 (calls of each client), PARTS, WINDOW (parts), KILLS, KILLABLE, GIVEUP (bits per party: 1, 2 clients, 4, 8 servers), GOINGS (how often in all)
 *   -DLATEGONE    a dead sleeper leaves the queue only after its death was announced                                 -> must hold with -DAGAIN: the death's echo
 *
 * What must hold: a client that is told the end has had all parts; one that is told that its server failed has had those that were written; parts are written only while the record is the server's.  When nothing moves
 * any more and a server lives, each living client's calls have ended, and all records are free; without a server, only published calls wait.
 *
 * Seeded mistakes, each must be caught:
 *   -DNOLOOK         no second look after the mark
 *   -DMARKLATE       the mark is set after the second look
 *   -DLOOKFIRST      who publishes looks at the mark before it publishes
 *   -DNOCOMPARE      sleep without comparing the word
 *   -DNODEATHS       sleep on the word alone
 *   -DDEATHSLATE     `deaths` is read after the second look
 *   -DREPAIRLATE     the dead one's records are repaired after `deaths` has moved and all were woken
 *   -DLATEGONE without -DAGAIN
 *   -DLATEGONE -DWAKEONE  who publishes on `answer` and `attention` wakes one: it may be the dead client of the record's call before
 *   -DNOPASSON       who goes without after having slept wakes nobody
 *   -DENDSILENT      who ends a call does not look at the mark of `space`
 *   -DCANCELSILENT   who cancels does not look at the mark of `space`
 *   -DABANDONSILENT  who abandons does not look at the mark of `attention`
 *   -DDROPSILENT     the server that frees an abandoned record does not look at the mark of `space`
 *   and with PARTS:
 *   -DREADSILENT     who stores `read` does not look at the mark of `attention`
 *   -DPARTSILENT     who stores `written` does not look at the mark of `answer`
 *   -DWRITTENFIRST   the client loads `written` before the state
 *   -DSTATEFIRST     the client heeds the state before what is written
 *   -DROOMONLY       a server that waits for room does not look at the state
 *   -DNORESET        `written` and `read` are not set to 0 for the next call
 */
#ifndef N
#define N 1
#endif
#ifndef M0
#define M0 1
#endif
#ifndef M1
#define M1 1
#endif
#ifndef PARTS
#define PARTS 0
#endif
#ifndef WINDOW
#define WINDOW 1
#endif
#ifndef SERVERS
#define SERVERS 2
#endif
#ifndef KILLS
#define KILLS 0
#endif
#ifndef KILLABLE
#define KILLABLE 5
#endif
#ifndef GIVEUP
#define GIVEUP 0
#endif
#ifndef GOINGS
#define GOINGS 1
#endif
#define ITEMS 0
#define SPACE 1
#define ANSWER(r) (2+2*(r))
#define ATTENTION(r) (3+2*(r))
#define WORDS (2+2*N)
#define CLAIMED 1                      /* sending, not yet published */
#define SENDING 2
#define SERVING 3
#define ABANDONED 4
#define REPLIED 5
#define FAILED 6

byte state[N], client[N], server[N];
#if PARTS
byte written[N], read[N];
byte fresh[N];                         /* ghost: parts written in this call */
#endif
byte number[WORDS];
bit  mark[WORDS];
byte deaths, kills;
#if GIVEUP
byte goings;
#endif
byte asl[4], on[4];                    /* 1 asleep, 2 woken by `deaths` or its deadline, and still queued on the word */
bit  died[4], gone[4];                  /* gone: a server that went without a call */
byte left[2];
#define CLIENT (me<2)
#define MINE ((phase==0 -> (CLIENT -> SPACE : ITEMS) : (CLIENT -> ANSWER(s) : ATTENTION(s))))
#define VALUE(x) (number[x]*2+mark[x])
#define QUEUED(p) (asl[p]!=0 && on[p]==word)
inline wakeOn(p) { if :: asl[p]!=0 && on[p]==word -> asl[p]=0 :: else fi }
inline wakeAll() { wakeOn(0); wakeOn(1); wakeOn(2); wakeOn(3) }
inline wakeDeath(p) { if :: asl[p]==1 -> asl[p]=2 :: else fi }
inline wakeDeaths() { wakeDeath(0); wakeDeath(1); wakeDeath(2); wakeDeath(3) }
#if N>1
#define ANY(x) (state[0]==x || state[1]==x)
#define FIRST(x) (state[0]==x -> 0 : 1)
#else
#define ANY(x) (state[0]==x)
#define FIRST(x) 0
#endif
mtype = { LOOK, LOOK2, DEATHS, MARK, SLEEP, ASLEEP, PUBLISH, PART, DONE, CANCEL, REPLY, PEEK, ADD, WAKE, UNMARK, DEATHS2, END };
#define AT(x) d_step { pc==x ->
#define CLEARED dv=0; val=0; slept=0; going=0; seen=0; word=0; phase=0; again=0; s=0; st=0; part=0
/* it was nothing: sleep, or mark first */
#if defined(MARKLATE)
#define NOTHING pc=(again -> MARK : DEATHS)
#elif defined(DEATHSLATE)
#define NOTHING pc=(again -> DEATHS2 : MARK)
#else
#define NOTHING pc=(again -> SLEEP : DEATHS)
#endif
#define SOMETHING again=0; val=0; dv=0; slept=0
/* what comes after a change: the word's mark */
#ifdef LOOKFIRST
#define BEFORE(x) seen=mark[x]
#define SEEN seen
#else
#define BEFORE(x) skip
#define SEEN mark[word]
#endif
#define NEXT if :: CLIENT && phase==0 && left[me]==0 -> s=0; pc=END :: else -> pc=LOOK fi
inline returns() { seen=0; word=0; if :: going && !CLIENT -> gone[me]=1; pc=END; going=0 :: else -> going=0; NEXT fi }

proctype Party(byte me) {
  byte phase, s, st, part, dv, val, word; bit again, slept, going, seen; mtype pc=(me<2 && left[me]==0 -> END : LOOK);
end:
  do
#if KILLS
  :: d_step { kills<KILLS && (KILLABLE & (1<<me)) && pc!=END -> kills++; died[me]=1; CLEARED; pc=END }
#endif
  /* ---- look ---- */
  :: d_step { pc==LOOK && CLIENT && phase==0 ->
       if
       :: ANY(0) -> SOMETHING; s=FIRST(0); state[s]=CLAIMED; client[s]=me;
#if PARTS
          fresh[s]=0;
#endif
#if PARTS && !defined(NORESET)
          written[s]=0; read[s]=0;
#endif
          BEFORE(ITEMS); pc=PUBLISH
       :: else -> NOTHING
       fi }
  :: d_step { pc==LOOK && !CLIENT && phase==0 ->
       if
       :: ANY(SENDING) -> SOMETHING; s=FIRST(SENDING); state[s]=SERVING; server[s]=me; phase=1
       :: else -> NOTHING
       fi }
#if PARTS
#ifdef WRITTENFIRST
  :: d_step { pc==LOOK && CLIENT && phase==1 -> st=written[s]; pc=LOOK2 }
  :: d_step { pc==LOOK2 && CLIENT ->
       if
       :: st>part -> SOMETHING; BEFORE(ATTENTION(s)); pc=PART
       :: st<=part && (state[s]==REPLIED || state[s]==FAILED) -> assert(part==(state[s]==REPLIED -> PARTS : written[s])); SOMETHING; BEFORE(SPACE); pc=DONE
#else
  :: d_step { pc==LOOK && CLIENT && phase==1 -> st=state[s]; pc=LOOK2 }
  :: d_step { pc==LOOK2 && CLIENT ->
       if
#ifdef STATEFIRST
       :: (st==REPLIED || st==FAILED) -> assert(part==(st==REPLIED -> PARTS : written[s])); SOMETHING; BEFORE(SPACE); pc=DONE
       :: st!=REPLIED && st!=FAILED && written[s]>part -> SOMETHING; BEFORE(ATTENTION(s)); pc=PART
#else
       :: written[s]>part -> SOMETHING; BEFORE(ATTENTION(s)); pc=PART
       :: written[s]<=part && (st==REPLIED || st==FAILED) -> assert(part==(st==REPLIED -> PARTS : written[s])); SOMETHING; BEFORE(SPACE); pc=DONE
#endif
#endif
       :: else -> NOTHING
       fi; st=0 }
  :: d_step { pc==LOOK && !CLIENT && phase==1 ->
       if
       :: part==PARTS -> SOMETHING; BEFORE(ANSWER(s)); pc=REPLY
#ifndef ROOMONLY
       :: part<PARTS && state[s]==ABANDONED -> SOMETHING; BEFORE(SPACE); pc=REPLY
#endif
       :: else -> pc=LOOK2
       fi }
  :: d_step { pc==LOOK2 && !CLIENT ->
       if
       :: part-read[s]<WINDOW -> SOMETHING; BEFORE(ANSWER(s)); pc=PART
       :: else -> NOTHING
       fi }
  :: d_step { pc==PART && CLIENT -> assert(part<fresh[s]); part++; read[s]=part;
#ifdef READSILENT
       pc=LOOK }
#else
       word=ATTENTION(s); pc=PEEK }
#endif
  :: d_step { pc==PART && !CLIENT -> assert(server[s]==me && (state[s]==SERVING || state[s]==ABANDONED)); part++; written[s]=part; fresh[s]++;
#ifdef PARTSILENT
       pc=LOOK }
#else
       word=ANSWER(s); pc=PEEK }
#endif
#else
  :: d_step { pc==LOOK && CLIENT && phase==1 ->
       if
       :: state[s]==REPLIED || state[s]==FAILED -> SOMETHING; BEFORE(SPACE); pc=DONE
       :: else -> NOTHING
       fi }
  :: d_step { pc==LOOK && !CLIENT && phase==1 -> SOMETHING; BEFORE(ANSWER(s)); pc=REPLY }
#endif
  /* ---- sleep ---- */
#ifdef DEATHSLATE
  :: AT(MARK) mark[MINE]=1; val=VALUE(MINE); again=1; pc=LOOK }
  :: AT(DEATHS2) dv=deaths; pc=SLEEP }
#elif defined(MARKLATE)
  :: AT(DEATHS) dv=deaths; again=1; pc=LOOK }
  :: AT(MARK) mark[MINE]=1; val=VALUE(MINE); pc=SLEEP }
#elif defined(NOLOOK)
  :: AT(DEATHS) dv=deaths; pc=MARK }
  :: AT(MARK) mark[MINE]=1; val=VALUE(MINE); pc=SLEEP }
#else
  :: AT(DEATHS) dv=deaths; pc=MARK }
  :: AT(MARK) mark[MINE]=1; val=VALUE(MINE); again=1; pc=LOOK }
#endif
  :: AT(SLEEP)
       if
#ifdef NOCOMPARE
       :: dv==deaths ->
#elif defined(NODEATHS)
       :: val==VALUE(MINE) ->
#else
       :: val==VALUE(MINE) && dv==deaths ->
#endif
          asl[me]=1; on[me]=MINE; pc=ASLEEP
       :: else -> pc=LOOK
       fi; val=0; dv=0; again=0 }
#if GIVEUP
#define GIVESUP (GIVEUP & (1<<me)) && goings<GOINGS && (CLIENT || phase==0)
  :: d_step { pc==SLEEP && GIVESUP -> goings++; again=0; val=0; dv=0;
       if
       :: CLIENT && phase==1 -> BEFORE((state[s]==SERVING -> ATTENTION(s) : SPACE)); pc=CANCEL
       :: else -> if :: CLIENT -> left[me]-- :: else fi; going=1;
          if :: slept -> word=MINE; pc=PEEK :: else -> returns() fi; slept=0
       fi }
  :: d_step { pc==ASLEEP && asl[me]==1 && GIVESUP -> goings++; going=1; asl[me]=2 }
#endif
  :: d_step { pc==ASLEEP && asl[me]!=1 -> asl[me]=0; on[me]=0; slept=1;
       if
       :: going && phase==1 -> going=0; BEFORE((state[s]==SERVING -> ATTENTION(s) : SPACE)); pc=CANCEL
       :: going && phase==0 -> if :: CLIENT -> left[me]-- :: else fi; slept=0;
#ifdef NOPASSON
          returns()
#else
          word=MINE; BEFORE(word); pc=PEEK
#endif
       :: else -> pc=LOOK
       fi }
  /* ---- change, and look at the mark ---- */
  :: AT(PUBLISH) state[s]=SENDING; phase=1; word=ITEMS; pc=PEEK }
  :: AT(DONE) state[s]=0; client[s]=0; server[s]=0; phase=0; part=0; left[me]--; word=SPACE;
#ifdef ENDSILENT
       returns() }
#else
       pc=PEEK }
#endif
  :: AT(CANCEL) phase=0; part=0; left[me]--; slept=0;
       if
       :: state[s]==SERVING -> state[s]=ABANDONED; client[s]=0; word=ATTENTION(s);
#ifdef ABANDONSILENT
          returns()
#else
          pc=PEEK
#endif
       :: else -> state[s]=0; client[s]=0; server[s]=0; word=SPACE;
#ifdef CANCELSILENT
          returns()
#else
          pc=PEEK
#endif
       fi }
  :: AT(REPLY) phase=0; part=0;
       if
       :: state[s]==SERVING -> assert(server[s]==me); state[s]=REPLIED; server[s]=0; word=ANSWER(s); pc=PEEK
       :: else -> assert(state[s]==ABANDONED && server[s]==me); state[s]=0; server[s]=0; client[s]=0; word=SPACE;
#ifdef DROPSILENT
          returns()
#else
          pc=PEEK
#endif
       fi }
  :: AT(PEEK)
#ifdef WAKEONE
#define ONE true
#else
#define ONE (word<2)
#endif
       if :: SEEN -> pc=(ONE -> ADD : UNMARK) :: else -> returns() fi }
  :: AT(ADD) number[word]++; pc=WAKE }
  :: d_step { pc==WAKE && QUEUED(0) -> asl[0]=0; returns() }
  :: d_step { pc==WAKE && QUEUED(1) -> asl[1]=0; returns() }
  :: d_step { pc==WAKE && QUEUED(2) -> asl[2]=0; returns() }
  :: d_step { pc==WAKE && QUEUED(3) -> asl[3]=0; returns() }
  :: d_step { pc==WAKE && !QUEUED(0) && !QUEUED(1) && !QUEUED(2) && !QUEUED(3) -> pc=UNMARK }
  /* it adds 1, and the mark is the lowest bit: with nobody asleep it may be set then */
  :: AT(UNMARK) if :: mark[word] -> number[word]++; mark[word]=0 :: else -> mark[word]=1 fi; wakeAll(); returns() }
  od
}
/* what becomes of a process that is killed */
inline repair(r) {
  if :: client[r]==p && p<2 ->
     if :: state[r]==SERVING -> state[r]=ABANDONED; client[r]=0 :: state[r]==0 || state[r]==ABANDONED :: else -> state[r]=0; client[r]=0; server[r]=0 fi
  :: p>=2 && server[r]==p ->
     if :: state[r]==SERVING -> state[r]=FAILED; server[r]=0 :: state[r]==ABANDONED -> state[r]=0; server[r]=0; client[r]=0 :: else fi
  :: else
  fi
}
#if N>1
#define REPAIRED d_step { repair(0); repair(1) }
#else
#define REPAIRED d_step { repair(0) }
#endif
proctype Death(byte p) {
end: died[p];
#ifndef LATEGONE
  asl[p]=0;
#endif
#ifndef REPAIRLATE
  REPAIRED;
#endif
  deaths++;
  d_step { wakeDeaths() };
#ifdef REPAIRLATE
  REPAIRED;
#endif
#ifdef LATEGONE
  asl[p]=0;
#ifdef AGAIN
  d_step { wakeDeaths() }
#endif
#endif
}
proctype Judge() { timeout ->
  d_step {
#if SERVERS>1
    if :: (died[2] || gone[2]) && (died[3] || gone[3]) -> goto unserved :: else fi;
#else
    if :: died[2] || gone[2] -> goto unserved :: else fi;
#endif
    assert((died[0] || left[0]==0) && (died[1] || left[1]==0));
    assert(state[0]==0 && state[N-1]==0);
unserved:
    assert((state[0]==0 || state[0]==SENDING) && (state[N-1]==0 || state[N-1]==SENDING))
  } }
init { atomic {
  left[0]=M0; left[1]=M1;
  run Party(0); run Party(1); run Party(2);
#if SERVERS>1
  run Party(3);
#endif
#if KILLS
  if :: KILLABLE & 1 -> run Death(0) :: else fi; if :: KILLABLE & 2 -> run Death(1) :: else fi;
  if :: KILLABLE & 4 -> run Death(2) :: else fi; if :: KILLABLE & 8 -> run Death(3) :: else fi;
#endif
  run Judge() } }
