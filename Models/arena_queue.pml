/* arena_queue: the queue in an arena (ArenaQueue): chunks in a list, taken and appended, going; who waits for an element; a reader without the lock; what a dead one has left and the next one mends (decision 0016).
 *
 * N processes do OPS changes each, in a lock that a death frees: append one element or two, take the first, or (CLEARS) take all away.  W more wait for an element each, as popFirst.  A chunk has two elements, and blocks
 * are used again at once.  A reader looks at the first element LOOKS times.  SIGKILL before any statement (KILLS) of a process of KILLABLE (bits: those who change, then those who wait).  In the end somebody has the lock once more.
 *
 * Abstract here: the lock (lock.pml): who waits for it does not sleep; a link's change, with the block that comes or goes, is one step (arena.pml); memory order: the read-modify-writes and the fence that go with `appended`
 * and `taken` make the order that of the program.  Who is stopped, and a dead sleeper that leaves the queue late: shared_queue_wait.pml, whose word this is.
 *
 *   bounds        N, W, OPS, LOOKS, KILLS, KILLABLE, GIVEUP (bits as KILLABLE: may go without), CLEARS
 *
 * What must hold, when whoever has the lock has mended: nothing is going; the chunks of the list are allocated, no other blocks are, and `last` is one of them.  Who takes gets the element of that number as it was appended; each
 * number is taken once.  A reader gets the element that was the first during its look.  When nothing moves: nobody alive sleeps beside an element.
 *
 * Seeded mistakes, each must be caught:
 *   -DNOMEND       who gets the lock does not look what was going
 *   -DAPPENDFIRST  the number goes up before the element is written
 *   -DNOGOING      a chunk is taken out of the list without having been named
 *   -DFREEFIRST    a chunk is freed before it is taken out of the list
 *   -DNOLAST       `last` stays where it was when its chunk goes
 *   -DLASTFIRST    `last` is moved to a new chunk before the number goes up (and the list is looked through from there: the next one appends fewer)
 *   -DEAGER        a chunk goes with its last element, before that is taken
 *   -DNOCOMPARE    the reader compares nothing
 *   -DNOSTAMP      the reader compares `taken` only (what this library did first: a storm of kills found it, and this model when it was given enough changes)
 *   -DSTAMPONLY    the reader compares `stamp` only
 *   -DFIRSTONLY    the reader takes the first chunk for the one of its number
 *   -DLOOKFIRST    who appends looks at the mark before it appends
 *   -DWAKEONE      who appends two wakes one
 *   -DNOLOOK       no second look after the mark
 *   -DMARKLATE     the mark is set after the second look
 *   -DNOVALUE      sleep without comparing the word
 *   -DNODEATHS     sleep on the word alone
 *   -DDEATHSLATE   `deaths` is read after the second look
 *   -DNOPASSON     who goes without after having slept wakes nobody
 */
#ifndef N
#define N 2
#endif
#ifndef W
#define W 0
#endif
#ifndef OPS
#define OPS 2
#endif
#ifndef LOOKS
#define LOOKS 0
#endif
#ifndef KILLS
#define KILLS 0
#endif
#ifndef KILLABLE
#define KILLABLE 15
#endif
#ifndef GIVEUP
#define GIVEUP 0
#endif
#ifndef CLEARS
#define CLEARS 0
#endif
#define ALL (N+W)
#define MOST 8                                          /* elements that are ever appended: 4 chunks */

byte next[5], num[5], el[10]; bit used[5];              /* blocks 1..4; 0 none */
byte lock, taken, appended, first, last, going;
byte number, deaths, stamp; bit mark;
byte asl[ALL+1];                                        /* 1 asleep; 2 woken by `deaths` or its deadline, and still queued on the word */
bit dead[ALL+1], ended[ALL+1]; byte kills;
byte vals, was[MOST+2];                                 /* ghost: what was appended under each number */
#define THERE (appended>taken)
#define VALUE (number*2+mark)

inline unlink(c) {                                      /* done again by who finds c going */
  if :: first==c -> first=next[c] :: else fi;
#ifndef NOLAST
  if :: last==c -> last=next[c] :: else fi
#endif
}
inline drop() { unlink(going); stamp++; d_step { assert(used[going]); used[going]=0; going=0 } }
inline dropFirst() {
#if defined(NOGOING)
  x=first; unlink(x); d_step { used[x]=0; x=0 }
#elif defined(FREEFIRST)
  going=first; used[going]=0; unlink(going); going=0
#else
  going=first; drop()
#endif
}
inline mend() {
#ifndef NOMEND
  if :: going!=0 -> drop() :: else fi;
#endif
  do :: first!=0 && num[first]<taken/2 -> dropFirst() :: else -> break od }

inline whole() { skip; d_step {
  assert(going==0); y=first; x=0; z=(last==0);
  do
  :: y==0 -> break
  :: else -> assert(used[y] && (next[y]==0 || num[next[y]]==num[y]+1)); x++; if :: y==last -> z=1 :: else fi; y=next[y]
  od;
  assert(z==1 && x==used[1]+used[2]+used[3]+used[4]); x=0; y=0; z=0 } }
inline enter() {
  atomic { lock==0 || dead[lock-1] -> lock=p+1 };
  mend(); whole() }

inline add(place) { d_step {
  if :: !used[1] -> x=1 :: else -> if :: !used[2] -> x=2 :: else -> if :: !used[3] -> x=3 :: else -> assert(!used[4]); x=4 fi fi fi;
  used[x]=1; next[x]=0; num[x]=z; place=x; y=x; x=0 } }
inline put() {                                          /* element w, which is not there before the number goes up */
  z=w/2; y=last; if :: y==0 -> y=first :: else fi;
  if
  :: y==0 -> add(first)
  :: else ->
     do
     :: num[y]==z -> break
     :: num[y]!=z && next[y]!=0 -> assert(num[y]<z); y=next[y]
     :: num[y]!=z && next[y]==0 -> assert(num[y]+1==z); add(next[y]); break
     od
  fi;
#ifdef LASTFIRST
  last=y;
#endif
  skip; d_step { vals++; was[w]=vals; el[y*2+w%2]=vals; z=0 } }

inline wake(v) {                                        /* one, or all */
  if
  :: !mark
  :: mark ->
     if
#ifndef WAKEONE
     :: v==2 -> wakeAll()
     :: v!=2 ->
#else
     :: skip ->
#endif
        number++;
        atomic {
          if
          :: W>0 && asl[N] -> asl[N]=0
          :: W>1 && asl[ALL-1] -> asl[ALL-1]=0
          :: else -> wakeAll()                          /* one system call: the mark goes by an addition, and all are woken */
          fi }
     fi
  fi }
inline wakeAll() { d_step { if :: mark -> number++ :: else fi; mark=0; for (x : 0 .. ALL) { asl[x]=0 }; x=0 } }

inline append() {
  if :: v=1 :: v=2 fi; w=appended;
  if
  :: w+v>MOST -> v=0
  :: else ->
#ifdef LOOKFIRST
     u=mark;
#endif
#ifdef APPENDFIRST
     appended=w+v;
#endif
     put(); if :: v==2 -> w++; put() :: else fi;
#ifndef APPENDFIRST
     appended=w+1;
#endif
     last=y
  fi; w=0; y=0 }

inline take() {
#ifdef EAGER
  if :: taken%2==1 -> y=el[first*2+1]; dropFirst(); z=1 :: else fi;
#endif
  if
#ifdef EAGER
  :: z==1 -> z=0
#endif
  :: z==0 -> y=first; assert(y!=0 && num[y]==taken/2); y=el[y*2+taken%2]
  fi;
  d_step { assert(y==was[taken]); taken++; y=0 } }

inline died() { atomic { asl[p]=0; x=0; y=0; z=0; w=0; v=0; u=0 };
  if :: dead[p] -> deaths++; d_step { for (x : 0 .. ALL) { if :: asl[x]==1 -> asl[x]=2 :: else fi }; x=0 } :: else fi;
  ended[p]=1 }

proctype Changer(byte p) {
  byte ops, x, y, z, w, v; bit u;
  {
  do
  :: ops==OPS -> break
  :: ops<OPS -> ops++;
     enter();
     if
     :: append()
     :: W==0 && THERE -> take()
#if CLEARS
     :: taken=appended; do :: first!=0 -> dropFirst() :: else -> break od
#endif
     fi;
     lock=0;
     if
     :: v==0
#ifdef LOOKFIRST
     :: v!=0 && !u
     :: v!=0 && u -> wake(v)
#else
     :: v!=0 -> wake(v)
#endif
     fi; v=0; u=0
  od
  } unless { dead[p] };
  ops=0; died() }

proctype Waiter(byte p) {
  byte x, y, z, w, v, u, dv, val; bit slept, got;
  {
  do
  :: got -> break
  :: else ->
look:
     dv=deaths;
     if
     :: THERE -> dv=0; enter(); if :: THERE -> take(); got=1 :: else fi; lock=0
     :: else ->
#if !defined(MARKLATE)
        atomic { mark=1; val=VALUE };
#endif
#ifndef NOLOOK
        if :: THERE -> goto look :: else fi;
#endif
#ifdef DEATHSLATE
        dv=deaths;
#endif
#ifdef MARKLATE
        atomic { mark=1; val=VALUE };
#endif
        atomic {
          if
#if defined(NOVALUE)
          :: dv==deaths -> asl[p]=1
#elif defined(NODEATHS)
          :: val==VALUE -> asl[p]=1
#else
          :: val==VALUE && dv==deaths -> asl[p]=1
#endif
          :: else -> goto look
          fi; val=0; dv=0 };
end:    if
        :: asl[p]!=1 -> asl[p]=0; slept=1
        :: (GIVEUP>>p & 1) -> asl[p]=2; asl[p]=0; slept=1;
#ifndef NOPASSON
           wake(1);
#endif
           break
        fi
     fi
  od
  } unless { dead[p] };
  skip; atomic { dv=0; val=0; slept=0; got=0 }; died() }

proctype Reader() {
  byte looks, s, t, y, d, n; bit bad;
  do
  :: looks==LOOKS -> break
  :: looks<LOOKS -> looks++;
again:
     skip; d_step { s=taken; t=stamp; y=0; d=0; bad=0 };
     if
     :: s>=appended
     :: s<appended ->
        y=first;
#ifndef FIRSTONLY
        if :: y==0 -> bad=1 :: else -> n=num[y] fi;
        do
        :: bad || n==s/2 -> break
        :: !bad && n>s/2 -> bad=1
        :: !bad && n<s/2 -> y=next[y]; if :: y==0 -> bad=1 :: else -> if :: num[y]==n+1 -> n++ :: else -> bad=1 fi fi
        od;
#endif
        if :: bad :: else -> d=el[y*2+s%2] fi;
#ifndef NOCOMPARE
#ifdef NOSTAMP
        if :: taken!=s -> goto again :: else fi;
#elif defined(STAMPONLY)
        if :: stamp!=t -> goto again :: else fi;
#else
        if :: taken!=s || stamp!=t -> goto again :: else fi;
#endif
#endif
        skip; d_step { assert(!bad && d==was[s]) }
     fi; atomic { s=0; t=0; y=0; d=0; n=0 }
  od }

init {
  byte p=ALL, x, y, z;
  atomic {
    for (x : 0 .. N-1) { run Changer(x) }; if :: W>0 -> for (x : N .. ALL-1) { run Waiter(x) } :: else fi;
    if :: LOOKS>0 -> run Reader() :: else fi; x=0 };
  do
  :: d_step { kills<KILLS && !dead[0] && !ended[0] && (KILLABLE & 1) -> kills++; dead[0]=1 }
  :: d_step { N>1 && kills<KILLS && !dead[1] && !ended[1] && (KILLABLE & 2) -> kills++; dead[1]=1 }
  :: d_step { W>0 && kills<KILLS && !dead[N] && !ended[N] && (KILLABLE>>N & 1) -> kills++; dead[N]=1 }
  :: d_step { W>1 && kills<KILLS && !dead[ALL-1] && !ended[ALL-1] && (KILLABLE>>(ALL-1) & 1) -> kills++; dead[ALL-1]=1 }
  :: kills<KILLS -> kills=KILLS
  :: timeout -> break
  od;
  assert(!THERE || W==0 || (asl[N]!=1 && asl[ALL-1]!=1));
  enter()
}
