/* service: the table of calls, its ring, cancelling, retrying, death and repair of request and reply (decision 0010).
 *
 * N records and a ring of N entries.  A record's word (peer, state, generation) and an entry (lap, record, generation; or empty for a lap) are changed by compare-exchange of the
 * whole; head and tail are plain stores of anybody's.  Two clients, two servers.  A client claims the record that it had last, or another one, names itself, writes the request and publishes: if the record's older entry
 * (left by a call that was cancelled, or whose client or server died) still stands in the ring, it is exchanged in its place; otherwise at the tail.  Then it waits for the record's state; it may cancel at any time
 * (GIVEUP, CANCELS times in all), retries a call whose server failed (RETRIES times), or frees it.  A server takes the oldest, may refuse it (REFUSES times in all), else replies.
 * SIGKILL before any statement of whoever is KILLABLE.  The repairer recovers it, in steps: barrier; each record's word, its client word, compare-exchange, until no rule applies.  It may itself be killed before any
 * statement (RKILLS): another begins anew.  That the life word is marked and the thread stops is one step, since only who repairs looks at the mark, and waits for the stop (two steps with NOBARRIER).
 *
 * Abstract here: waiting (service_wait): whoever finds nothing waits until something that it is woken for has happened since it began to look; streamed replies (service_wait); a load that is followed at once by a
 * compare-exchange from what was loaded is one step with it, and so is a hint with what is looked at there; a request is written in one step, its reply too.  Memory is sequentially consistent.  A dead peer's name is
 * never anybody's again (peers).
 *
 *   bounds        N, M0 and M1 (calls of each client), SERVERS, GIVEUP (bit per client), CANCELS, RETRIES (of each call), REFUSES, KILLS, KILLABLE (bit per party: 1, 2 clients, 4, 8 servers), RKILLS
 *   -DHALT        who is "killed" is stopped for ever instead, and nobody's death is told
 *   -DSAMEPEER    client 0 and the first server are one process: one name, one death
 *   -DGENMOD=n    an entry's generation has n values only
 *   -DRECHECK     who has loaded an entry and its record looks at the entry again before its compare-exchange            -> must hold also with GENMOD=2
 *   -DHELP        an appender empties a stale entry that is in its way.  Without it, it asserts that there is none
 *
 * What must hold: a request taken was published in this generation, is whole, and nobody has had it before; a request does not change while it is served; the reply read is the call's own;
 * who has a record finds an entry; who looks for its own record finds it in the generation that it gave it.  When nothing moves any more: each living client's calls have ended, but that those that no living server can
 * take still wait in the ring; all records are free, but theirs.  With HALT: each party that is stopped costs one record at most, and a call ends unless it is with one that is stopped.
 *
 * Seeded mistakes, each must be caught:
 *   -DNOREUSE        a new call is always appended, whatever the record's older entry is
 *   -DTICKETLATE     the record's ticket is written after the publication
 *   -DGOON           who could not empty an entry goes on behind it
 *   -DMIDDLE         who cancels empties its entry, wherever that is
 *   -DNOGEN          entries carry no generation
 *   -DGENMOD=2 without -DRECHECK
 *   -DCLIENTLATE     the client word is written after the publication
 *   -DRETRYSAME      a retry keeps the generation
 *   -DRETRYNOENTRY   a retry trusts that the old entry still stands
 *   -DCLEARFIRST     a server empties the entry before it takes the record
 *   -DPLAINCLEAR     an entry is emptied by a store
 *   -DPLAINREPLY     a server stores `replied`
 *   -DCANCELFREE     who cancels frees the record although a server has it
 *   -DCANCELONCE     who cancels does not look again when its compare-exchange failed
 *   -DPLAINCANCEL    who cancels stores what follows from the state that it saw
 *   -DNAMEFIRST      who repairs reads the client word before the record's word
 *   -DONEPASS        who repairs applies one rule to a record and goes on
 *   -DREPAIRONCE     who repairs does not look again when its compare-exchange failed
 *   -DPLAINREPAIR    who repairs stores what follows from the word that it saw
 *   -DNOBARRIER      nobody waits for the dead to stop
 *   -DFORGETFREE     a server's `abandoned` record is left as it is
 *   -DFORGETREPLIED  of a dead client's records, `replied` ones are left as they are
 *   -DFORGETFAILED   of a dead client's records, `failed` ones are left as they are
 *   -DSERVERFREES    a dead server's record becomes free instead of failed
 * NOREUSE, GOON, MIDDLE, NAMEFIRST, ONEPASS and the second look of GENMOD are what decision 0010 left open when this was written.
 */
#ifndef N
#define N 2
#endif
#ifndef M0
#define M0 2
#endif
#ifndef M1
#define M1 1
#endif
#ifndef SERVERS
#define SERVERS 2
#endif
#ifndef GIVEUP
#define GIVEUP 0
#endif
#ifndef CANCELS
#define CANCELS 1
#endif
#ifndef RETRIES
#define RETRIES 0
#endif
#ifndef REFUSES
#define REFUSES 0
#endif
#ifndef KILLS
#define KILLS 0
#endif
#ifndef KILLABLE
#define KILLABLE 5
#endif
#ifndef RKILLS
#define RKILLS 0
#endif
#ifndef GENMOD
#define GENMOD 64
#endif
#ifdef NOGEN
#define GEN(g) 0
#else
#define GEN(g) ((g)%GENMOD)
#endif
#if KILLS && !defined(HALT)
#define DEATHS
#endif

/* a record's word: peer + 1, state, generation */
#define SENDING 1
#define SERVING 2
#define ABANDONED 3
#define REPLIED 4
#define FAILED 5
#define WORD(p,s,g) (((g)<<6)|((s)<<3)|(p))
#define PEER(w) ((w)&7)
#define STATE(w) (((w)>>3)&7)
#define GENERATION(w) ((w)>>6)
#define FREE(w) (STATE(w)==0)
/* an entry: lap, record + 1 (0: empty for that lap), generation */
#define ENTRY(l,s,g) (((l)<<8)|(GEN(g)<<2)|((s)+1))
#define EMPTY(l) ((l)<<8)
#define LAP(e) ((e)>>8)
#define RECORD(e) (((e)&3)-1)
#define FULL(e) ((e)&3)
#define NAMES(e,s,g) (((e)&255)==((GEN(g)<<2)|((s)+1)))
#define LIVE(e) (STATE(rec[RECORD(e)])==SENDING && NAMES(e,RECORD(e),GENERATION(rec[RECORD(e)])))
#ifdef SAMEPEER
#define NAME(p) ((p)==2 -> 1 : (p)+1)
#else
#define NAME(p) ((p)+1)
#endif

short rec[N], ring[N];
byte client[N], ticket[N], request[N], reply[N], head, tail;
bit  stop[4], died[4];
byte kills;
#if GIVEUP
byte cancels;
#endif
#if REFUSES
byte refused;
#endif
#ifdef DEATHS
bit  freed[4];
#endif
byte moved;                            /* bit per party: something that it is woken for happened since it began to look */
#define PUBLISHED moved=moved|12
#define FREED moved=moved|3
#define ANSWERED if :: client[s] -> moved=moved|(1<<(client[s]-1)) :: else fi
#define MOVED (moved&(1<<me))
/* ghosts */
byte left[2];                          /* calls that have not ended */
bit  published[N], served[N];          /* this generation */

#if RETRIES
#define CLEANTRIES tries=0
#else
#define CLEANTRIES skip
#endif
#define CALL (1+me*4+k)
inline publication() { assert(!published[s]); published[s]=1; PUBLISHED }
inline begins() { g=GENERATION(rec[s])+1; rec[s]=WORD(me+1,SENDING,g); published[s]=0; served[s]=0 }
inline frees(word) { rec[s]=WORD(0,0,GENERATION(word)); FREED }
inline take() {
  g=GENERATION(rec[s]); rec[s]=WORD(NAME(me),SERVING,g); got=1; v=request[s];
  assert(published[s] && !served[s] && v); served[s]=1
}
inline ended() { g=0; i=0; CLEANTRIES; left[me]--; k++; if :: left[me]==0 -> k=0; s=0; pc=END :: else -> pc=LOOK fi }
/* the entry of ticket x is emptied for the next lap, if it is still e; whether it is empty then */
inline clear(x) {
  if
#ifdef PLAINCLEAR
  :: ring[(x)%N]=EMPTY(LAP(e)+1); c=1
#elif defined(GOON)
  :: ring[(x)%N]==e -> ring[(x)%N]=EMPTY(LAP(e)+1); c=1
  :: else -> c=1
#else
  :: ring[(x)%N]==e -> ring[(x)%N]=EMPTY(LAP(e)+1); c=1
  :: else -> c=(LAP(ring[(x)%N])>(x)/N)
#endif
  fi
}
#define MAYDIE (kills<KILLS && (KILLABLE & (1<<me)) && pc!=END && !died[me])
#if KILLS==0
#define DYING(locals)
#elif defined(HALT)
#define DYING(locals) :: d_step { MAYDIE -> kills++; stop[me]=1; pc=END; locals }
#elif defined(SAMEPEER)
#define DYING(locals) :: d_step { MAYDIE -> kills++; died[me]=1; stop[me]=1; if :: me==0 -> died[2]=1; stop[2]=1 :: me==2 -> died[0]=1; stop[0]=1 :: else fi; pc=END; locals } \
  :: d_step { stop[me] && pc!=END -> pc=END; locals }
#elif defined(NOBARRIER)
#define DYING(locals) :: d_step { MAYDIE -> kills++; died[me]=1 } :: d_step { died[me] && !stop[me] -> stop[me]=1; pc=END; locals }
#else
#define DYING(locals) :: d_step { MAYDIE -> kills++; died[me]=1; stop[me]=1; pc=END; locals }
#endif
#ifdef SAMEPEER
#define RUNS && !stop[me]
#else
#define RUNS
#endif
#define AT(x) d_step { pc==x RUNS ->
#define ON(x) d_step { pc==x ->
mtype = { LOOK, SCAN, WAIT, NAMED, WRITE, PLACE, TICKET, PUT, STALE, EMPTIED, TAIL, LATE, AWAIT, ASLEEP, READ, DONE, CANCEL, CANCELLED, MIDDLED, RETRY,
  RING, TAKE, AGAIN, FOUND, CLEAR, HEAD, SERVE, REPLY, UNSERVE, BARRIER, WORD1, CLIENT1, FIX, END };
#ifndef CLIENTLATE
#define LATE AWAIT
#endif

#if defined(CANCELONCE) || defined(PLAINCANCEL)
#define CLEANW ; w=0
#else
#define CLEANW
#endif
proctype Client(byte me) {
  byte k, t, s, g, i; short e; bit c; mtype pc=(left[me]==0 -> END : LOOK);
#if RETRIES
  byte tries;
#endif
#if defined(CANCELONCE) || defined(PLAINCANCEL)
  short w;
#endif
end:
  do
  DYING(k=0; t=0; s=0; g=0; i=0; e=0; c=0; CLEANTRIES CLEANW)
  /* ---- a free record ---- */
  :: d_step { (pc==LOOK || pc==SCAN || (pc==WAIT && MOVED)) RUNS ->
       if :: pc!=SCAN -> moved=moved&~(1<<me) :: else fi;
       if
       :: FREE(rec[s]) -> begins(); request[s]=0; i=0; pc=NAMED
       :: else -> s=(s+1)%N; i++; if :: i==N -> i=0; pc=WAIT :: else -> pc=SCAN fi
       fi }
#ifdef CLIENTLATE
  :: AT(NAMED) pc=WRITE }
#else
  :: AT(NAMED) client[s]=me+1; pc=WRITE }
#endif
  :: AT(WRITE) request[s]=CALL; pc=PLACE }
  /* ---- publish ---- */
  :: AT(PLACE)
       if
#ifdef RETRYNOENTRY
       :: published[s] -> pc=AWAIT
#endif
#ifndef NOREUSE
       :: LAP(ring[ticket[s]%N])==ticket[s]/N && RECORD(ring[ticket[s]%N])==s -> ring[ticket[s]%N]=ENTRY(ticket[s]/N,s,g); publication(); pc=LATE
#endif
       :: else -> t=tail; pc=TICKET
       fi }
#ifdef TICKETLATE
  :: AT(TICKET) pc=PUT }
#else
  :: AT(TICKET) ticket[s]=t; pc=PUT }
#endif
  :: AT(PUT)
       if
       :: ring[t%N]==EMPTY(t/N) -> ring[t%N]=ENTRY(t/N,s,g); publication(); pc=TAIL
       :: else -> e=ring[t%N];
          if
          :: LAP(e)>=t/N -> t=(FULL(e) -> LAP(e) : LAP(e)-1)*N+t%N+1; e=0; pc=TICKET
          :: else -> assert(FULL(e) && LAP(e)+1==t/N); pc=STALE
          fi
       fi }
#ifdef HELP
  :: AT(STALE) if :: LIVE(e) -> assert(ring[t%N]!=e); e=0; pc=PUT :: else -> pc=EMPTIED fi }
  :: AT(EMPTIED) clear(t); c=0; e=0; pc=PUT }
#else
  :: AT(STALE) assert(false) }         /* who has a record finds an entry */
#endif
  :: AT(TAIL) tail=t+1;
#ifdef TICKETLATE
       ticket[s]=t;                    /* one step with the hint, which is nobody's business */
#endif
       t=0; pc=LATE }
#ifdef CLIENTLATE
  :: AT(LATE) client[s]=me+1; pc=AWAIT }
#endif
  /* ---- wait for the state ---- */
  :: d_step { (pc==AWAIT || (pc==ASLEEP && MOVED)) RUNS -> moved=moved&~(1<<me);
       assert(died[me] || GENERATION(rec[s])==g);
       if
       :: STATE(rec[s])==REPLIED -> pc=READ
#if RETRIES
       :: STATE(rec[s])==FAILED && tries<RETRIES -> pc=RETRY
#endif
       :: STATE(rec[s])==FAILED -> pc=CANCEL
       :: else -> assert(died[me] || STATE(rec[s])==SENDING || STATE(rec[s])==SERVING); pc=ASLEEP
       fi }
  :: AT(READ) assert(died[me] || reply[s]==CALL); pc=DONE }
  :: AT(DONE)
       assert(died[me] || reply[s]==CALL);
       if
       :: STATE(rec[s])==REPLIED && GENERATION(rec[s])==g -> frees(rec[s])
       :: else -> assert(died[me])
       fi; ended() }
#if RETRIES
  :: AT(RETRY)
       if
       :: rec[s]==WORD(PEER(rec[s]),FAILED,g) -> tries++;
#ifdef RETRYSAME
          rec[s]=WORD(me+1,SENDING,g); published[s]=0; served[s]=0;
#elif defined(RETRYNOENTRY)
          g++; rec[s]=WORD(me+1,SENDING,g); served[s]=0; published[s]=NAMES(ring[ticket[s]%N],s,g-1);
#else
          begins();
#endif
          pc=PLACE
       :: else -> assert(died[me])
       fi }
#endif
  /* ---- cancel ---- */
#if GIVEUP
  :: d_step { (pc==AWAIT || pc==ASLEEP || pc==RETRY) RUNS && (GIVEUP & (1<<me)) && cancels<CANCELS -> cancels++; pc=CANCEL }
#endif
#if defined(CANCELONCE) || defined(PLAINCANCEL)
  :: AT(CANCEL) w=rec[s]; pc=CANCELLED }
  :: AT(CANCELLED)
       if
#ifdef PLAINCANCEL
       :: STATE(w)==SERVING -> rec[s]=WORD(PEER(w),ABANDONED,g); w=0; ended()
       :: STATE(w)!=SERVING -> frees(w); w=0; ended()
#else
       :: rec[s]==w && STATE(w)==SERVING -> rec[s]=WORD(PEER(w),ABANDONED,g); w=0; ended()
       :: rec[s]==w && STATE(w)!=SERVING -> frees(w); w=0; ended()
       :: else -> w=0; ended()
#endif
       fi }
#else
  :: AT(CANCEL) assert(died[me] || GENERATION(rec[s])==g);
       if
#ifndef CANCELFREE
       :: STATE(rec[s])==SERVING -> rec[s]=WORD(PEER(rec[s]),ABANDONED,g); ended()
#endif
       :: else -> assert(died[me] || STATE(rec[s])!=ABANDONED && STATE(rec[s])!=0);
          frees(rec[s]);
#ifdef MIDDLE
          pc=MIDDLED
#else
          ended()
#endif
       fi }
#ifdef MIDDLE
  :: AT(MIDDLED) if :: NAMES(ring[ticket[s]%N],s,g) -> ring[ticket[s]%N]=EMPTY(LAP(ring[ticket[s]%N])+1) :: else fi; ended() }
#endif
#endif
  od
}

proctype Server(byte me) {
  byte h, s, g, v; short e; bit got, c; mtype pc=LOOK;
#ifdef RECHECK
  short w;
#define RECHECKED w=0
#else
#define RECHECKED skip
#endif
end:
  do
  DYING(h=0; s=0; g=0; v=0; e=0; got=0; c=0; RECHECKED)
  :: d_step { (pc==RING || pc==LOOK || (pc==WAIT && MOVED)) RUNS -> if :: pc!=RING -> moved=moved&~(1<<me); h=head :: else fi;
       e=ring[h%N];
       if
       :: LAP(e)>h/N -> h=(LAP(e)-1)*N+h%N+1; e=0; pc=RING
       :: LAP(e)<h/N || (LAP(e)==h/N && !FULL(e)) -> e=0; h=0; pc=WAIT
       :: else -> s=RECORD(e);
#ifdef CLEARFIRST
          pc=CLEAR
#else
          pc=TAKE
#endif
       fi }
#ifdef RECHECK
  :: AT(TAKE) w=rec[s]; if :: LIVE(e) -> pc=AGAIN :: else -> w=0; pc=CLEAR fi }
  :: AT(AGAIN) if :: ring[h%N]==e -> pc=FOUND :: else -> w=0; e=0; s=0; pc=RING fi }
  :: AT(FOUND) if :: rec[s]==w -> take(); pc=CLEAR :: else -> pc=TAKE fi; w=0 }
#elif defined(CLEARFIRST)
  :: AT(TAKE) if :: LIVE(e) -> take() :: else fi; e=0; if :: got -> pc=HEAD :: else -> h++; s=0; pc=RING fi }
  :: AT(CLEAR) clear(h); c=0; pc=TAKE }
#else
  :: AT(TAKE) if :: LIVE(e) -> take() :: else fi; pc=CLEAR }
#endif
#ifndef CLEARFIRST
  :: AT(CLEAR) clear(h); e=0;
       if
       :: got -> pc=(c -> HEAD : SERVE); if :: !c -> h=0 :: else fi
       :: else -> s=0; if :: c -> h++ :: else fi; pc=RING
       fi; c=0 }
#endif
  :: AT(HEAD) head=h+1; h=0; pc=SERVE }
  /* ---- serve ---- */
  :: AT(SERVE) assert(died[me] || request[s]==v); reply[s]=v; v=0; got=0; pc=REPLY }
#if REFUSES
  :: d_step { pc==SERVE RUNS && refused<REFUSES && rec[s]==WORD(NAME(me),SERVING,g) -> refused++; got=0; v=0; rec[s]=WORD(NAME(me),FAILED,g); ANSWERED; s=0; g=0; pc=LOOK }
#endif
#ifdef PLAINREPLY
  :: AT(REPLY) rec[s]=WORD(0,REPLIED,g); ANSWERED; s=0; g=0; pc=LOOK }
#else
  :: AT(REPLY)
       if
       :: rec[s]==WORD(NAME(me),SERVING,g) -> assert(client[s]); rec[s]=WORD(0,REPLIED,g); ANSWERED; s=0; g=0; pc=LOOK
       :: else -> pc=UNSERVE
       fi }
  :: AT(UNSERVE)
       if
#ifndef FORGETFREE
       :: rec[s]==WORD(NAME(me),ABANDONED,g) -> frees(rec[s])
#endif
#ifdef CANCELFREE
       :: else
#else
       :: else -> assert(died[me] || rec[s]==WORD(NAME(me),ABANDONED,g))
#endif
       fi; s=0; g=0; pc=LOOK }
#endif
  od
}

#ifdef DEATHS
/* under the repair claim: another repairer begins only when this one is dead and stopped */
proctype Repairer() {
  byte p, s, rkills; short w; bit f; mtype pc=LOOK;
#ifdef NOBARRIER
#define STOPPED true
#else
#define STOPPED stop[p]
#endif
#define TOREPAIR(p) (died[p] && !freed[p])
#ifdef ONEPASS
#define ONCEMORE s++; pc=WORD1
#else
#define ONCEMORE pc=WORD1
#endif
end:
  do
  :: d_step { pc==LOOK && (TOREPAIR(0) || TOREPAIR(1) || TOREPAIR(2) || TOREPAIR(3)) ->
       p=(TOREPAIR(0) -> 0 : (TOREPAIR(1) -> 1 : (TOREPAIR(2) -> 2 : 3))); pc=BARRIER }
  :: d_step { pc==BARRIER && STOPPED -> pc=WORD1 }
#ifdef NAMEFIRST
  :: d_step { pc==WORD1 && s<N -> f=(client[s]==p+1); pc=CLIENT1 }
  :: ON(CLIENT1) w=rec[s];
#else
  :: d_step { pc==WORD1 && s<N -> w=rec[s];
       if
       :: FREE(w) || (STATE(w)==SENDING && PEER(w)!=NAME(p)) -> w=0; s++
       :: STATE(w)==SENDING && PEER(w)==NAME(p) -> f=1; pc=FIX
       :: else -> pc=CLIENT1
       fi }
  :: ON(CLIENT1) f=(client[s]==p+1);
#endif
       if
       :: STATE(w)==SENDING && PEER(w)==NAME(p) -> f=1; pc=FIX
       :: f && STATE(w)==SERVING -> pc=FIX
#ifndef FORGETREPLIED
       :: f && STATE(w)==REPLIED -> pc=FIX
#endif
#ifndef FORGETFAILED
       :: f && STATE(w)==FAILED -> pc=FIX
#endif
       :: PEER(w)==NAME(p) && (STATE(w)==SERVING || STATE(w)==ABANDONED) -> pc=FIX
       :: else -> f=0; w=0; s++; pc=WORD1
       fi }
  :: ON(FIX)
       if
#ifdef PLAINREPAIR
       :: true ->
#else
       :: rec[s]==w ->
#endif
          if
          :: STATE(w)==SERVING && f -> rec[s]=WORD(PEER(w),ABANDONED,GENERATION(w))
#ifndef SERVERFREES
          :: STATE(w)==SERVING && !f -> rec[s]=WORD(PEER(w),FAILED,GENERATION(w))
#endif
          :: else -> frees(w)
          fi;
          ONCEMORE
#ifndef PLAINREPAIR
#ifdef REPAIRONCE
       :: else -> s++; pc=WORD1
#else
       :: else -> pc=WORD1
#endif
#endif
       fi; w=0; f=0 }
  :: d_step { pc==WORD1 && s==N -> s=0; pc=END }
  :: ON(END) freed[p]=1; moved=15;
#ifdef SAMEPEER
       if :: p==0 -> freed[2]=1 :: p==2 -> freed[0]=1 :: else fi;
#endif
       p=0; pc=LOOK }
  :: d_step { rkills<RKILLS && pc!=LOOK -> rkills++; p=0; s=0; w=0; f=0; pc=LOOK }
  od
}
#endif
#if SERVERS>1
#define SERVED (!stop[2] || !stop[3])
#else
#define SERVED (!stop[2])
#endif
#define NOTFREE(s) (!FREE(rec[s]))
#define WITHSTOPPED(s) ((STATE(rec[s])==SERVING || STATE(rec[s])==ABANDONED) && stop[PEER(rec[s])-1])
#define INRING(s) (STATE(rec[s])==SENDING && !stop[PEER(rec[s])-1] && NAMES(ring[ticket[s]%N],s,GENERATION(rec[s])))
proctype Judge() { byte s, used, held; timeout ->
  d_step {
    s=0;
    do
    :: s==N -> break
    :: s<N -> used=used+NOTFREE(s);
       if :: NOTFREE(s) && WITHSTOPPED(s) -> held++ :: else fi;
       if :: STATE(rec[s])==SENDING -> assert(stop[PEER(rec[s])-1] || INRING(s)) :: else fi;
       s++
    od;
#ifdef HALT
    assert(used<=kills || !SERVED);
    assert(!SERVED || kills>=N || (stop[0] || left[0]==0)+(stop[1] || left[1]==0)+held>=2)
#else
    if
    :: SERVED -> assert(used==0 && (stop[0] || left[0]==0) && (stop[1] || left[1]==0))
    :: else -> s=0;
       do
       :: s==N -> break
       :: s<N -> assert(FREE(rec[s]) || INRING(s)); s++
       od;
       assert(used==(!stop[0] && left[0]!=0)+(!stop[1] && left[1]!=0) || used==N)
    fi
#endif
  } }
init { atomic {
  left[0]=M0; left[1]=M1;
  run Client(0); run Client(1); run Server(2);
#if SERVERS>1
  run Server(3);
#endif
#ifdef DEATHS
  run Repairer();
#endif
  run Judge() } }
