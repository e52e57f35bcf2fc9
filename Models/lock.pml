/* lock: the lock word, its mark, its heir and its death (LockCore), and the value that may be half changed (SharedMutex).
 *
 * Peers of one thread each take the word ROUNDS times.  SIGKILL before any statement: then the peer's life word is marked and its thread stops,
 * in either order, and until it stops it runs on; a system call that it is in is finished by the kernel even later, when a barrier has passed; it leaves the
 * queues; its death is announced: `deaths` moves, then all who sleep are woken.  All in any order that the kernel allows; the announcer does
 * not die (peers).  Whoever is in futex_waitv and was woken by one word stays queued on the other until it runs.  The kernel wakes any one of a queue: priorities.
 *
 * Abstract here: polling (a call that polls only looks); time: out of patience and past its deadline is a call when it likes, once it has slept; several threads
 * of a peer (the word cannot tell them apart, HeldLocks does); forked children; generations: a claim is a peer's for good.  Memory is sequentially
 * consistent: all but the fast path's release and acquire is.
 * What is the heir worth?  Once it is named, each other call takes a marked word once at most, if it was looking just then; and nobody takes the mark away but who
 * was letting go just then.  A word without mark is anybody's, until the heir looks and marks it.
 *
 *   bounds        PEERS, ROUNDS, KILLS, KILLABLE, GIVEUP, HEIRS (bits per peer: may be killed, has a deadline, loses its patience), SPURIOUS (wakes once without cause)
 *   -DLATEGONE    a dead sleeper leaves the queue of the word only after its death was announced: so is the kernel under load. It can swallow a wake-up
 *                 then; somebody has to wake all once more when the dead are gone from the queues: -DAGAIN.       -> must hold with -DAGAIN
 *   -DONCE        the word becomes final (SharedOnce): whoever takes it is done with it, or throws                -> must hold
 *
 * Seeded mistakes, each must be caught:
 *   -DNOSETTLE      a dead holder's word is taken over without the barrier
 *   -DLATEDEATHS    `deaths` is read after looking whether the holder lives
 *   -DNOCOMPARE     sleep without comparing the word
 *   -DABANDONFREE   who finds a dead one's word frees it and takes it then
 *   -DPLAINUNMARK   the mark is taken away by a store
 *   -DNOTELLHEIR    who lets go does not tell the heir
 *   -DUNMARKASLEEP  the mark is taken away also if a sleeper was woken, and who has slept does not mark
 *   -DNOINCONSISTENT who takes a dead one's word does not store `inconsistent`
 *   -DLATEGONE without -DAGAIN
 *   -DNODEATHS      sleep on the word alone
 *   -DNODEFER       the heir is not looked at
 *   -DNOGIVEUPWAKE  who goes without does not wake
 * and what the code itself did when this was written:
 *   -DDEFERONWORD   who stands back sleeps on the lock's word, which was taken and let go meanwhile
 *   -DTELLTWO       the heir is marked, then woken, by two calls: who is stopped between them, for good here, and holds nothing, keeps all others waiting
 *   -DWAKEOP        letting go is a FUTEX_WAKE_OP that stores: the kernel finishes it after the barrier, when the word is another's
 * Not shown yet, at the bounds of Models/check: it runs too long, or is not caught:
 *   -DNOKEEP        who takes a marked word does not keep the mark
 *   -DNOSLEPTMARK   who has slept does not mark the word that it takes
 *   -DNOGIVEUPMARK  who goes without does not mark
 *   -DABANDONPLAIN  who takes a dead one's word does not mark it
 *   -DNOTELL        who stands back does not tell the heir
 *   -DNORETELL      the heir does not let itself be told anew
 *   -DUNMARKHEIR    the mark is taken away though there is an heir
 *   -DNORESIGN      an heir that goes without stays heir
 *   -DNOHEIRLIFE    nobody looks whether the heir lives
 *   -DPLAINRESIGN   an heir resigns by a store
 *   -DREPAIRFIRST   `inconsistent` is cleared before the value is whole
 *   -DONCEPLAIN     with ONCE: whoever is done wakes only if the word is marked, and who has slept and finds it done does not wake
 *   -DHEIRONWORD    the heir sleeps on the lock's word: told between its look and its sleep, it sleeps on
 *   -DONCENORESIGN  with ONCE: an heir that finds it done stays heir
 */
#ifndef PEERS
#define PEERS 3
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#ifndef OTHERS
#define OTHERS ROUNDS
#endif
#ifndef KILLS
#define KILLS 1
#endif
#ifndef KILLABLE
#define KILLABLE 1
#endif
#ifndef GIVEUP
#define GIVEUP 0
#endif
#ifndef HEIRS
#define HEIRS 0
#endif
#ifndef SPURIOUS
#define SPURIOUS 0
#endif
#ifdef UNMARKASLEEP
#define NOSLEPTMARK
#endif
#define MARK 1
#define MINE ((me+1)<<1)
#define FINAL 14
#define IS(mask) (((mask)>>me)&1)

byte w;                               /* 0 free; (peer + 1) << 1; FINAL; with MARK */
byte hr;                              /* the heir's claim; with MARK: told */
byte deaths;
byte asl[PEERS];                      /* 1 asleep, 2 woken by `deaths` or its deadline, and still queued on the word */
bit  onHeir[PEERS];                   /* queued on the word `heir`, not on the lock's */
bit  act[PEERS], stop[PEERS], died[PEERS], inCall[PEERS], inTell[PEERS];
bit  torn, inconsistent;              /* ghost: the value is half changed; the word */
byte kills;
/* ghosts of the heir */
byte over[PEERS];                     /* marked words taken by others since the heir was named */
bit  letting[PEERS], early[PEERS];    /* is letting go; was so when the heir was named */
bit  in[PEERS];

#define Q(i) (asl[i] && !onHeir[i])
inline wakeOne(got) {
  if
  :: Q(0) -> asl[0]=0; got=1
  :: Q(1) -> asl[1]=0; got=1
#if PEERS>2
  :: Q(2) -> asl[2]=0; got=1
  :: !Q(0) && !Q(1) && !Q(2) -> got=0
#else
  :: !Q(0) && !Q(1) -> got=0
#endif
  fi
}
inline wakeAll() {
  d_step {
    if :: Q(0) -> asl[0]=0 :: else fi; if :: Q(1) -> asl[1]=0 :: else fi
#if PEERS>2
    ; if :: Q(2) -> asl[2]=0 :: else fi
#endif
  }
}
inline wakeHeir() {
  d_step {
    if :: onHeir[0] -> asl[0]=0 :: else fi; if :: onHeir[1] -> asl[1]=0 :: else fi
#if PEERS>2
    ; if :: onHeir[2] -> asl[2]=0 :: else fi
#endif
  }
}
inline wakeDeaths() {
#ifdef NODEATHS
  skip
#else
  d_step {
    if :: asl[0]==1 -> asl[0]=2 :: else fi; if :: asl[1]==1 -> asl[1]=2 :: else fi
#if PEERS>2
    ; if :: asl[2]==1 -> asl[2]=2 :: else fi
#endif
  }
#endif
}
#define DEADHEIR (hr>MARK && died[(hr>>1)-1])
/* marks the heir and wakes it, in one call, which the kernel finishes also for the dead */
inline tell() {
#ifdef TELLTWO
  atomic { if :: hr==nm -> hr=nm|MARK :: else fi };
  if :: true -> goto over0 :: true fi;
  wakeHeir()
#else
  inTell[me]=1;
  atomic { hr=hr|MARK; wakeHeir(); inTell[me]=0 }
#endif
}
inline named() {                      /* ghost: a new heir */
  over[0]=0; over[1]=0; early[0]=letting[0]; early[1]=letting[1];
#if PEERS>2
  over[2]=0; early[2]=letting[2]
#endif
}
inline resign() {
#ifdef PLAINRESIGN
  atomic { hr=0; isHeir=0 }
#else
  atomic { if :: hr>>1==me+1 -> hr=0 :: else fi; isHeir=0 }
#endif
#ifndef RESIGNNOWAKE
  ; wakeHeir()
#endif
}

proctype Peer(byte me) {
  byte round, seen, dv, nm, ev; bit slept, isHeir, back, late, got, told, woke;
  {
  do
  :: round==(me==0 -> ROUNDS : OTHERS) -> break
  :: else ->
     atomic { round++; slept=0; late=0;
       if :: w==0 -> w=MINE; goto had :: else fi };
     /* ---- look ---- */
look:
#if !defined(NORETELL) && !defined(HEIRONWORD)
     if :: isHeir -> d_step { if :: hr==(MINE|MARK) -> hr=MINE :: else fi } :: else fi;
#endif
#ifdef ONCE
     if :: (w|MARK)==(FINAL|MARK) -> goto done :: else fi;
#endif
#ifndef LATEDEATHS
     dv=deaths;
#endif
     seen=w;
     if
#ifdef ONCE
     :: (seen|MARK)==(FINAL|MARK) -> goto done
#endif
     :: seen<=MARK ->
        if
#ifndef NODEFER
        :: seen==MARK && !isHeir ->
defer:
           nm=hr;
           if
           :: nm<=MARK
#ifndef NOHEIRLIFE
           :: nm>MARK && died[(nm>>1)-1] -> atomic { if :: hr==nm -> hr=0 :: else -> goto defer fi }
           :: nm>MARK && !died[(nm>>1)-1] ->
#else
           :: nm>MARK ->
#endif
#ifndef NOTELL
              if
              :: !(nm&MARK) ->
#ifdef HEIRONWORD
                 atomic { if :: hr==nm -> hr=nm|MARK :: else -> goto defer fi };
                 wakeAll()
#else
                 tell();
                 if :: hr>>1!=nm>>1 -> goto defer :: else fi
#endif
              :: else
              fi;
#endif
#ifdef DEFERONWORD
              atomic { ev=seen; goto sleep }
#else
              atomic { ev=nm|MARK; back=1; goto sleep }
#endif
           fi
#endif
        :: else
        fi;
        atomic {
          if :: w==seen -> :: else -> goto look fi;
#ifndef NOHEIRLIFE
          if :: seen==MARK && hr>MARK && hr>>1!=me+1 && !DEADHEIR -> over[me]++; assert(over[me]<=1) :: else fi;
#endif
#ifdef NOKEEP
          w=MINE|slept;
#elif defined(NOSLEPTMARK)
          w=MINE|(seen&MARK);
#else
          w=MINE|slept|(seen&MARK);
#endif
        };
        if :: isHeir -> resign() :: else fi;
        goto had
     :: else ->
#ifndef ONCE
        assert(seen>>1!=me+1);
#endif
        if
        :: died[(seen>>1)-1] ->
#ifndef NOSETTLE
           stop[(seen>>1)-1];
#endif
#ifdef ABANDONFREE
           atomic { if :: w==seen -> w=seen&MARK; told=0 :: else -> skip fi; goto look };
#else
           atomic { if :: w==seen -> :: else -> goto look fi;
#ifdef ABANDONPLAIN
             w=MINE
#else
             w=MINE|MARK
#endif
           };
           if :: isHeir -> resign() :: else fi;
#ifndef NOINCONSISTENT
           inconsistent=1;
#endif
           goto had
#endif
        :: else
        fi;
#ifdef LATEDEATHS
        dv=deaths;
#endif
        /* ---- the heir ---- */
        if
#ifdef HEIRONWORD
        :: isHeir -> d_step { if :: hr==(MINE|MARK) -> hr=MINE :: else fi }
#endif
        :: !isHeir && slept && IS(HEIRS) ->
           if
           :: nm=hr;
              if
              :: nm<=MARK || died[(nm>>1)-1] ->
                 d_step { if :: hr==nm -> hr=MINE; isHeir=1; named() :: else fi };
#if !defined(HEIRONWORD) && !defined(NAMELATE)
                 if :: isHeir -> goto look :: else fi
#endif
              :: else
              fi
           :: true
           fi
        :: else
        fi;
        atomic { if :: w==seen -> w=seen|MARK; ev=seen|MARK :: (seen&MARK) && w!=seen -> ev=seen :: !(seen&MARK) && w!=seen -> goto look fi }
     fi;
sleep:
     atomic {
       nm=0; seen=0;
       if
       :: late -> goto giveUp
       :: !late && IS(GIVEUP) -> late=1; goto giveUp
       :: !late
       fi };
     atomic {
       slept=1;
       if
#ifdef NOCOMPARE
       :: (dv==deaths) -> asl[me]=1
#elif defined(NODEATHS)
       :: isHeir && hr==MINE -> asl[me]=1; onHeir[me]=1
       :: !isHeir && !back && w==ev -> asl[me]=1
       :: back && hr==ev -> asl[me]=1; onHeir[me]=1
#else
#ifndef HEIRONWORD
       :: isHeir && hr==MINE && dv==deaths -> asl[me]=1; onHeir[me]=1
       :: !isHeir && !back && w==ev && dv==deaths -> asl[me]=1
#else
       :: !back && w==ev && dv==deaths -> asl[me]=1
#endif
       :: back && hr==ev && dv==deaths -> asl[me]=1; onHeir[me]=1
#endif
       :: else
       fi; ev=0; dv=0; back=0 };
     if
     :: atomic { asl[me]!=1 -> asl[me]=0; onHeir[me]=0 }
     :: atomic { asl[me]==1 && IS(GIVEUP) -> asl[me]=2; late=1 }; atomic { asl[me]=0; onHeir[me]=0 }
     :: atomic { asl[me]==1 && IS(SPURIOUS) && !woke -> asl[me]=2; woke=1 }; atomic { asl[me]=0; onHeir[me]=0 }
     fi;
     goto look;
giveUp:
#ifndef NORESIGN
     if :: isHeir -> resign() :: else fi;
#endif
     isHeir=0;
     if
     :: slept ->
#ifdef NOGIVEUPMARK
        got=(w<=MARK);
#else
        atomic { got=(w<=MARK); w=w|MARK };
#endif
#ifndef NOGIVEUPWAKE
        if :: got -> wakeAll() :: else fi;
#endif
        got=0
     :: else
     fi;
     goto next;
     /* ---- had ---- */
had: atomic {
       dv=0; nm=0; ev=0; seen=0; isHeir=0; back=0;
       assert((!in[0] || stop[0]) && (!in[1] || stop[1]));
#if PEERS>2
       assert(!in[2] || stop[2]);
#endif
       in[me]=1 };
#ifndef ONCE
     if
     :: !inconsistent -> d_step { assert(!torn); torn=1 }; d_step { assert(torn); torn=0 }
     :: inconsistent                                                        /* is told so */
     :: inconsistent ->
#ifdef REPAIRFIRST
        d_step { torn=1; inconsistent=0 }; torn=0
#else
        torn=1; torn=0; inconsistent=0
#endif
     fi;
#endif
     in[me]=0;
#ifdef ONCE
     if
     :: round==1 && me==0                                                   /* throws */
     :: round==1 && me==1
     :: true ->
        atomic { if :: w==MINE -> w=FINAL; got=0 :: else -> w=FINAL; got=1 fi };
#ifdef ONCEPLAIN
        if :: got -> wakeAll() :: else fi;
#else
        wakeAll();
onceHeir:
        nm=hr;
        if
        :: nm>MARK && !died[(nm>>1)-1] && !(nm&MARK) ->
           tell();
           if :: hr>>1!=nm>>1 -> goto onceHeir :: else fi
        :: else
        fi;
#endif
        got=0;
        goto over0
     fi;
#endif
     /* ---- let go ---- */
     atomic { if :: w==MINE -> w=0; goto next :: else fi };
#ifdef WAKEOP
     d_step { assert(w==(MINE|MARK)); inCall[me]=1 };
     atomic { w=MARK; letting[me]=1; wakeOne(got); inCall[me]=0 };
#else
     d_step { assert(w==(MINE|MARK)); w=MARK; letting[me]=1 };
#ifndef HEIRONWORD
letHeir:
     nm=hr;
     if
     :: nm>MARK && !died[(nm>>1)-1] ->
#ifndef NOTELLHEIR
        if
        :: !(nm&MARK) ->
           tell();
           if :: hr>>1!=nm>>1 -> goto letHeir :: else fi
        :: else
        fi;
#endif
        goto letGone
     :: else
     fi;
#endif
     inCall[me]=1;
     atomic { wakeOne(got); inCall[me]=0 };
#endif
#ifdef UNMARKASLEEP
     got=0;
#endif
     if
     :: got
#ifdef UNMARKHEIR
     :: !got ->
#else
     :: !got && hr>MARK
     :: !got && hr<=MARK ->
#endif
#ifdef PLAINUNMARK
        w=0
#else
        d_step { if :: w==MARK -> w=0; assert(hr<=MARK || DEADHEIR || early[me]) :: else fi }
#endif
     fi;
letGone:
     atomic { got=0; nm=0; letting[me]=0; early[me]=0 };
     goto next;
done:
#ifndef ONCENORESIGN
     if :: isHeir -> resign() :: else fi;
#endif
     goto over0;
next: atomic { slept=0; late=0; dv=0; nm=0; ev=0; seen=0; isHeir=0; back=0 }
  od;
over0: skip
  } unless { stop[me] };
  atomic { act[me]=0; in[me]=0; letting[me]=0; round=0; seen=0; dv=0; nm=0; ev=0; slept=0; isHeir=0; back=0; late=0; got=0; told=0; woke=0 }
}
/* what becomes of a process that is killed */
proctype Death(byte p) {
  bit got, announced;
end: atomic { kills<KILLS && act[p] -> kills++ };
  if
  :: stop[p]=1; died[p]=1
  :: died[p]=1; stop[p]=1
  fi;
#ifdef LATEGONE
  if :: deaths++; wakeDeaths(); announced=1 :: true fi;
#endif
  atomic { if :: inCall[p] ->
#ifdef WAKEOP
    w=MARK;
#endif
    wakeOne(got); inCall[p]=0 :: else fi };
  atomic { if :: inTell[p] -> hr=hr|MARK; wakeHeir(); inTell[p]=0 :: else fi };
  d_step { asl[p]=0; onHeir[p]=0 };                                         /* it has left the queues */
  if :: !announced -> deaths++; wakeDeaths() :: else
#ifdef AGAIN
    -> wakeDeaths()
#endif
  fi
}
init { atomic {
  act[0]=1; act[1]=1; run Peer(0); run Peer(1);
#if PEERS>2
  act[2]=1; run Peer(2);
#endif
  if :: KILLABLE & 1 -> run Death(0) :: else fi; if :: KILLABLE & 2 -> run Death(1) :: else fi;
#if PEERS>2
  if :: KILLABLE & 4 -> run Death(2) :: else fi
#endif
} }
