/* array: an element that is overwritten through a draft, and read without the lock (SharedArray): draft, writing, planned, stamp; what a dead one has left and the next one mends; taking away and appending.
 *
 * N processes do OPS changes each, in a lock that a death frees: overwrite element 0, or take element 1 away and append another in its place.  An element is two words, which a change writes one after the other.
 * A reader looks LOOKS times: stamp, count, writing, two words, stamp.  SIGKILL before any statement (KILLS).  In the end somebody has the lock once more.
 *
 * Abstract here: the lock (lock.pml); parts; memory order: the fences that go with the stamp make the order that of the program, as in latest.pml.
 *
 *   bounds        N, OPS, LOOKS, KILLS
 *
 * What must hold, when whoever has the lock has mended: each element that is there is whole; element 0 has the value of the last change that got as far as writing.  A reader returns a whole value that the element
 * had at some time during the look, or that it was not there.
 *
 * Seeded mistakes, each must be caught:
 *   -DNODRAFT      the element is written in its place
 *   -DNOMEND       who gets the lock does not mend
 *   -DWRITINGFIRST writing is set before the draft is whole
 *   -DCLEARFIRST   writing is cleared before the element is whole
 *   -DONESTAMP     the stamp changes before the draft is written only
 *   -DLATESTAMP    the stamp changes before the element is written only
 *   -DNOCOMPARE    the reader does not compare the stamp
 *   -DELEMENTONLY  the reader does not look at writing
 *   -DAPPENDFIRST  the number goes up before the element is written
 *   -DTAKESILENT   taking away does not change the stamp
 *   -DUNPLANNED    who takes away says so nowhere before: killed in it, the stamp is as it was, and the next one appends over what a reader is at
 */
#ifndef N
#define N 2
#endif
#ifndef OPS
#define OPS 2
#endif
#ifndef LOOKS
#define LOOKS 1
#endif
#ifndef KILLS
#define KILLS 0
#endif

byte a[2], b[2], da, db;                               /* both words of the elements and of the draft */
byte lock, stamp, count=2, writing, planned;
bit dead[N+1], ended[N]; byte kills, over;
/* ghost: what the elements have, and what the reader may return; 0: it is not there */
byte vals=2, now[2], wanted; short had;

inline shows(i, v) { now[i]=v; if :: i==wanted -> had=had | (1<<v) :: else fi }

inline take(n) {
#ifndef UNPLANNED
  planned=n+1;
#endif
  d_step { count=n; shows(n, 0) };
#ifndef TAKESILENT
  stamp++;
#endif
  planned=0 }

inline mend() {
  if :: planned!=0 -> take(planned-1) :: else fi;
  if
  :: writing==1 ->
#ifndef ONESTAMP
     stamp++;
#endif
#ifdef CLEARFIRST
     writing=0; a[0]=da; b[0]=db
#else
     a[0]=da; b[0]=db; writing=0
#endif
  :: else
  fi }

inline enter() {
  atomic { lock==0 || dead[lock-1] -> lock=p+1 };
#ifndef NOMEND
  mend();
#endif
  d_step { assert(writing==0 && planned==0 && a[0]==b[0] && a[0]==now[0]); assert(count==1 || (a[1]==b[1] && a[1]==now[1])) } }

proctype Changer(byte p) {
  byte ops, v;
  {
  do
  :: ops==OPS -> break
  :: ops<OPS -> ops++;
     enter();
     if
     :: skip;     /* overwrite */
        d_step { vals++; v=vals };
#ifdef NODRAFT
        stamp++; a[0]=v; d_step { b[0]=v; shows(0, v) };
#else
#ifndef LATESTAMP
        stamp++;
#endif
#ifdef WRITINGFIRST
        d_step { writing=1; shows(0, v) }; da=v; db=v;
#else
        da=v; db=v; d_step { writing=1; shows(0, v) };
#endif
        mend()
#endif
     :: count==2 -> /* take away */
        take(1)
     :: count==1 -> /* append */
        d_step { vals++; v=vals };
#ifdef APPENDFIRST
        d_step { count=2; shows(1, v) }; a[1]=v; b[1]=v
#else
        a[1]=v; b[1]=v; d_step { count=2; shows(1, v) }
#endif
     fi;
     v=0; lock=0
  od
  } unless { dead[p] };
  atomic { ended[p]=1; over++; ops=0; v=0 }
}

proctype Reader() {
  byte looks, s, x, y; bit draft;
  do
  :: looks==LOOKS -> break
  :: looks<LOOKS -> looks++;
     if :: wanted=0 :: wanted=1 fi;
again:
     skip; d_step { s=stamp; had=1<<now[wanted] };
     if
     :: wanted>=count -> x=0; y=0
     :: wanted<count ->
#ifndef ELEMENTONLY
        draft=(writing==wanted+1);
#endif
        if
        :: draft -> x=da; y=db
        :: else -> x=a[wanted]; y=b[wanted]
        fi
     fi;
#ifdef NOCOMPARE
     if :: skip ->
#else
     if
     :: stamp!=s -> x=0; y=0; draft=0; goto again
     :: stamp==s ->
#endif
        d_step { assert(x==y && (had>>x & 1)); x=0; y=0; draft=0; had=0; wanted=0 }
     fi
  od; s=0
}

init {
  byte p=N;
  atomic { a[0]=1; b[0]=1; now[0]=1; a[1]=2; b[1]=2; now[1]=2; run Changer(0); if :: N>1 -> run Changer(N-1) :: else fi; run Reader() };
  do
  :: d_step { kills<KILLS && !ended[0] && !dead[0] -> kills++; dead[0]=1 }
  :: d_step { kills<KILLS && !ended[N-1] && !dead[N-1] -> kills++; dead[N-1]=1 }
  :: over==N -> break
  od;
  enter()
}
