/* latest: the versions of a latest value, their stamps, the word `current` and its mark (LatestValue).
 *
 * Writers change the value STORES times each: they hold the lock, read the newest version, and write the next one from it (so a change that is lost shows).  A reader loads LOADS times; a
 * waiter waits until a version after AFTER is there.  SIGKILL of a writer before any statement: then its life word is marked and its thread stops, in either order, and until it stops it runs on;
 * its death is announced: `deaths` moves, then all who sleep are woken.
 *
 * The value has two halves.  With -DWEAK, stores and loads between two fences come in any order: that is all that weaker processors add, since the writer loads nothing between its stores, and its
 * exchange and its letting go wait for them; a sequence lock is used for nothing else.  Both halves of a version carry its number and its writer.
 *
 * Abstract here: how the lock is waited for and handed on (lock.pml): a writer takes it when it is free or its holder is dead; polling; deadlines; numbers modulo 2^30; forked children.
 *
 *   bounds        V (versions), WRITERS, STORES (of writer 0), OTHERS (of writer 1), LOADS (0: no reader), WAITERS (0 or 1), AFTER, KILLS, KILLABLE (bits)
 *
 *   -DWEAK -DPLAINWHOLE  the stamp of the whole version is no release: the exchange of `current` is        -> must hold
 *
 *   -DHALT        writer 0 may be stopped for good between letting go and waking, while writer 1 is still to come: it wakes      -> must hold
 *
 * Seeded mistakes, each must be caught:
 *   -DHALT -DTWOCALLS  the mark is taken away, then all are woken, by two calls
 *   -DNOSTAMP     a version is not stamped as being written before it is
 *   -DNORECHECK   the reader does not look at the stamp again
 *   -DPUBFIRST    a version is published before it is written
 *   -DSTAMPLATE   the stamp says that the version is whole only after it was published
 *   -DV=1         one version
 *   -DNUMBERONLY  the stamp has no number, only the bit "being written"
 *   -DNOLOCK      two write at the same time
 *   -DNOSETTLE    a dead writer's lock is taken over without the barrier
 *   -DPLAINMARK   the mark is looked at before `current` is stored, not exchanged with it
 *   -DNOWAKE      nobody is woken
 *   -DNOMARK      the sleeper does not mark
 *   -DNOCOMPARE   sleep without comparing the word
 *   -DNODEATHS    sleep on `current` alone: a writer that is killed between publishing and waking leaves sleepers
 *   -DWEAK -DNORELEASE   no fence between the stamp and the bytes
 *   -DWEAK -DNOACQUIRE   no fence between the bytes and the second look
 */
#ifndef V
#define V 2
#endif
#ifndef WRITERS
#define WRITERS 2
#endif
#ifndef STORES
#define STORES 2
#endif
#ifndef OTHERS
#define OTHERS 1
#endif
#ifndef KILLABLE
#define KILLABLE 1
#endif
#ifndef LOADS
#define LOADS 2
#endif
#ifndef WAITERS
#define WAITERS 0
#endif
#ifndef AFTER
#define AFTER 1
#endif
#ifndef KILLS
#define KILLS 1
#endif
#define MOST 8                        /* numbers */
#define TAG(n) ((n)*WRITERS+me)
#define AT(n) ((n)%V)
#define LIVES(p) (!died[p])

byte cur;                             /* number << 1, mark */
byte stamp[V];                        /* number << 1, being written */
byte first[V], second[V];             /* the value */
byte lock;                            /* 0 free, writer + 1 */
byte deaths, kills;
bit  stop[WRITERS], died[WRITERS], act[WRITERS];
bit  asleep;
/* ghosts */
byte published[MOST];                 /* what the version is that was published under a number */
bit  in[WRITERS];
bit  second1;                         /* writer 1 has taken the lock */

inline wake() {
#ifdef TWOCALLS
  d_step { asleep=0 }
#elif !defined(NOWAKE)
  d_step { cur=(cur>>1)<<1; asleep=0 }                                      /* FUTEX_WAKE_OP */
#else
  skip
#endif
}
inline writeStamp() {
#ifdef NOSTAMP
  skip
#else
  stamp[AT(n)]=(n<<1)|1
#endif
}

proctype Writer(byte me) {
  byte round, n, old, tag;
  bit did1, did2, did3;
  {
  do
  :: round==(me==0 -> STORES : OTHERS) -> break
  :: else ->
     /* ---- the lock; the newest is whole then, and has the number that `current` says ---- */
     round++;
take:
     if
#ifdef NOLOCK
     :: true
#else
     :: atomic { lock==0 -> lock=me+1 }
     :: atomic { lock!=0 && lock!=me+1 && died[lock-1] -> old=lock };
#ifndef NOSETTLE
        stop[old-1];
#endif
        atomic { if :: lock==old -> lock=me+1; old=0 :: else -> old=0; goto take fi }
#endif
     fi;
     atomic { in[me]=1; n=cur>>1; second1=second1||me==1;
#ifndef NOLOCK
       assert(WRITERS==1 || !in[1-me] || stop[1-me]);
       assert(stamp[AT(n)]==(n<<1) && first[AT(n)]==published[n] && second[AT(n)]==published[n]);
#endif
       n++; assert(n<MOST); tag=TAG(n) };
#ifdef PUBFIRST
     d_step { old=cur; cur=n<<1; published[n]=tag };
#endif
     /* ---- write ---- */
#if defined(WEAK) && defined(NORELEASE)
     do
     :: !did1 -> writeStamp(); did1=1
     :: !did2 -> first[AT(n)]=tag; did2=1
     :: !did3 -> second[AT(n)]=tag; did3=1
     :: did1 && did2 && did3 -> break
     od;
     skip; d_step { did1=0; did2=0; did3=0 };
     stamp[AT(n)]=n<<1;
#elif defined(WEAK) && defined(PLAINWHOLE)
     writeStamp();
     do
     :: !did1 -> stamp[AT(n)]=n<<1; did1=1
     :: !did2 -> first[AT(n)]=tag; did2=1
     :: !did3 -> second[AT(n)]=tag; did3=1
     :: did1 && did2 && did3 -> break
     od;
     skip; d_step { did1=0; did2=0; did3=0 };
#else
     writeStamp();
#ifdef WEAK
     if
     :: first[AT(n)]=tag; second[AT(n)]=tag
     :: second[AT(n)]=tag; first[AT(n)]=tag
     fi;
#else
     first[AT(n)]=tag;
     second[AT(n)]=tag;
#endif
#ifndef STAMPLATE
     stamp[AT(n)]=n<<1;
#endif
#endif
     /* ---- publish ---- */
#ifdef PLAINMARK
     old=cur;
     d_step { cur=n<<1; published[n]=tag };
#elif defined(TWOCALLS)
     d_step { old=cur; cur=n<<1; published[n]=tag };
#elif !defined(PUBFIRST)
     d_step { old=cur; cur=(n<<1)|(cur&1); published[n]=tag };
#endif
#ifdef STAMPLATE
     stamp[AT(n)]=n<<1;
#endif
#ifdef NOLOCK
     in[me]=0;
#else
     d_step { in[me]=0; if :: lock==me+1 -> lock=0 :: else fi };
#endif
#ifdef HALT
     if :: me==0 && !second1 -> goto halted :: true fi;
#endif
     if :: old&1 -> wake() :: else fi;
     d_step { n=0; old=0; tag=0 }
  od;
halted: skip
  } unless { stop[me] };
  atomic { act[me]=0; in[me]=0; round=0; n=0; old=0; tag=0; did1=0; did2=0; did3=0 }
}

#ifdef NUMBERONLY
#define SAMEAS(s) (!((s)&1))
#else
#define SAMEAS(s) ((s)==(seen<<1))
#endif
proctype Reader() {
  byte load, seen, s, a, b, again, least, last;
  do
  :: load==LOADS -> break
  :: else ->
     load++;
     least=cur>>1;
look:
     seen=cur>>1;
     s=stamp[AT(seen)];
     if :: SAMEAS(s) :: else -> goto overtaken fi;
#if defined(WEAK) && defined(NOACQUIRE)
     if
     :: a=first[AT(seen)]; b=second[AT(seen)]; again=stamp[AT(seen)]
     :: a=first[AT(seen)]; again=stamp[AT(seen)]; b=second[AT(seen)]
     :: again=stamp[AT(seen)]; b=second[AT(seen)]; a=first[AT(seen)]
     fi;
#else
#ifdef WEAK
     if :: a=first[AT(seen)]; b=second[AT(seen)] :: b=second[AT(seen)]; a=first[AT(seen)] fi;
#else
     a=first[AT(seen)];
     b=second[AT(seen)];
#endif
     again=stamp[AT(seen)];
#endif
#ifdef NORECHECK
     again=s;
#endif
     if :: again==s && SAMEAS(s) :: else -> goto overtaken fi;
     d_step {
       assert(a==b);                                      /* never torn */
       assert(a==published[seen]);                        /* and what was published under this number */
       assert(seen>=least && seen>=last);                 /* no older than when the call began, nor than the one before */
       last=seen; s=0; a=0; b=0; again=0; seen=0; least=0 };
     goto next;
overtaken:
     s=0; a=0; b=0; again=0;
     assert(cur>>1!=seen);                                /* honest memory is not called damaged */
     goto look;
next: skip
  od;
  skip; d_step { load=0; last=0 }
}

proctype Waiter() {
  byte seen, dv;
look:
  dv=deaths;
  seen=cur;
  if
  :: seen>>1>AFTER -> goto done
  :: else
  fi;
#ifndef NOMARK
  atomic { if :: cur==seen -> cur=seen|1; seen=seen|1 :: else -> goto look fi };
#endif
  atomic {
    if
#ifdef NOCOMPARE
    :: dv==deaths -> asleep=1
#elif defined(NODEATHS)
    :: cur==seen -> asleep=1
#else
    :: cur==seen && dv==deaths -> asleep=1
#endif
    :: else
    fi };
end: !asleep;
  d_step { seen=0; dv=0 };
  goto look;
done: skip; d_step { seen=0; dv=0 }
}

proctype Death(byte p) {
end: atomic { kills<KILLS && act[p] -> kills++ };
  if
  :: stop[p]=1; died[p]=1
  :: died[p]=1; stop[p]=1
  fi;
  deaths++;
#ifndef NODEATHS
  d_step { asleep=0 }
#endif
}

/* nobody sleeps on a version that is there */
proctype Check() {
end: timeout; assert(!asleep || cur>>1<=AFTER)
}

init { atomic {
  act[0]=1; run Writer(0);
#if WRITERS>1
  act[1]=1; run Writer(1);
#endif
#if LOADS>0
  run Reader();
#endif
#if WAITERS>0
  run Waiter(); run Check();
#endif
#if KILLS>0
  if :: KILLABLE & 1 -> run Death(0) :: else fi;
#if WRITERS>1
  if :: KILLABLE & 2 -> run Death(1) :: else fi
#endif
#endif
} }
