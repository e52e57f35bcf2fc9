/* arena_names: a bucket of named objects (SharedArena.findOrConstruct, destroy, find): records that are named, claimed, filled, given back and used again; sleepers; deaths.
 *
 * N processes do OPS operations each, on names 1 ... NAMES: find or construct, where the constructor may throw, or destroy.  Who looks reads stamp, name, object and stamp again, without the lock.  Who names or
 * destroys has the lock, which is free again when its holder dies.  Who wants what another constructs sleeps on the record's `changes` and on `deaths`.  SIGKILL before any statement (KILLS), then the repair, which
 * counts `deaths` and wakes all.
 *
 * Abstract here: the lock (lock.pml); links and blocks (arena.pml): an object is the name that it was constructed for; the list: all records are there, and 0 is the name of one that never had any; a dead process's
 * last instructions, which the barrier stops; writing a name passes through any other name.
 *
 *   bounds        N, R (records), NAMES, OPS, KILLS; FIRST (bits of processes that only find or construct name 1)
 *
 * What must hold: no two that live construct the same at once; no name has two objects; whoever finds finds an object of the name; what is destroyed is of the name; nobody sleeps for ever.
 *
 * Seeded mistakes, each must be caught:
 *   -DNOAGAIN        who sleeps does not look again after it has set the mark
 *   -DSAMENUMBER     giving back wakes, and changes no number
 *   -DNOMARK         who sleeps sets no mark
 *   -DWAKEONE        giving back wakes one
 *   -DWAKEFIRST      giving back changes the number and wakes, and then gives back
 *   -DNODEATHS       sleepers do not sleep on deaths
 *   -DDEATHSLATE     the number of deaths is read after the looks at who lives
 *   -DALIVE          the claim of a dead one is not taken over
 *   -DNOCLAIM        a record is used again although it is claimed
 *   -DNOOBJECT       the object is not looked at again after claiming
 *   -DNOSTAMP        who looks does not compare the stamp
 *   -DNOODD          the stamp is not odd while the name is written
 *   -DNOLOCK         destroying takes no lock
 */
#ifndef N
#define N 2
#endif
#ifndef R
#define R 2
#endif
#ifndef NAMES
#define NAMES 2
#endif
#ifndef OPS
#define OPS 2
#endif
#ifndef KILLS
#define KILLS 0
#endif
#ifndef FIRST
#define FIRST 0
#endif

byte name[R], object[R], claim[R], stamp[R], changes[R]; bit odd[R], mark[R];
byte lock, deaths, kills, over;
bit dead[N], ended[N]; byte asleep[N];
/* ghost */
byte building[NAMES+1];

#define lives(c) ((c)!=0 && !dead[(c)-1])
#ifdef ALIVE
#define claimed(r) (claim[r]!=0)
#else
#define claimed(r) lives(claim[r])
#endif
#define isOver(r, s) (!claimed(r) || odd[r] || stamp[r]!=s || object[r]!=0)

inline wake(r) { q=0;
  do
  :: q<N && asleep[q]==r+1 -> asleep[q]=0;
#ifdef WAKEONE
     break
#else
     q++
#endif
  :: q<N && asleep[q]!=r+1 -> q++
  :: q==N -> break
  od; q=0 }

/* A look, then one call that adds to the mark, with its carry into the number, and wakes. */
inline change(r) { m=mark[r]; if :: m -> d_step {
#ifndef SAMENUMBER
    if :: mark[r] -> changes[r]++ :: else fi;
#endif
    mark[r]=1-mark[r]; wake(r) } :: else fi; m=0 }

inline giveBack(r) {
#ifdef WAKEFIRST
  change(r); claim[r]=0
#else
  claim[r]=0; change(r)
#endif
}

/* o: the object; 0: none. Without the lock. */
inline find(n) { o=0; r=0;
  do
  :: r==R -> break
  :: r<R ->
     d_step { s=stamp[r]; x=odd[r] };
     if
     :: x==0 && name[r]==n -> o=object[r];
#ifndef NOSTAMP
        if :: stamp[r]!=s || odd[r] -> o=0 :: else fi;
#endif
        if :: o!=0 -> assert(o==n); break :: else fi
     :: else
     fi;
     r++
  od; s=0; x=0 }

/* r: the record that has the name; R: none. In the lock. */
inline named(n) { d_step { r=0; do :: r<R && (odd[r] || name[r]!=n) -> r++ :: else -> break od } }
inline enter() { atomic { !lives(lock) -> lock=p+1 } }
inline leave() { lock=0 }

inline describe(n) {
#ifndef NOODD
  odd[r]=1;
#endif
  if :: name[r]=1 :: name[r]=2 :: name[r]=n fi;
  d_step { name[r]=n };
  d_step { stamp[r]++; odd[r]=0 } }

proctype peer(byte p) {
  byte ops, n, r, s, o, x, q, seen, known; bit m;
  {
  do
  :: ops==OPS -> break
  :: ops<OPS -> ops++;
     if :: n=1 :: !(FIRST>>p & 1) && NAMES>1 -> n=2 fi;
     if
     :: skip;      /* find or construct */
again:  find(n);
        if :: o!=0 -> goto next :: else fi;
        enter();
        named(n);
        if
        :: r<R && object[r]!=0 -> assert(object[r]==n); leave(); goto next
        :: r<R && object[r]==0 ->
           if
#ifndef NOCLAIM
           :: claimed(r) -> s=stamp[r]; leave();
              /* sleeps until it is over */
#ifndef DEATHSLATE
              known=deaths;
#endif
              if :: isOver(r, s) -> goto again :: else fi;
#ifdef NOMARK
              seen=changes[r];
#else
              d_step { mark[r]=1; seen=changes[r] };
#endif
#ifndef NOAGAIN
              if :: isOver(r, s) -> goto again :: else fi;
#endif
#ifdef DEATHSLATE
              known=deaths;
#endif
#ifdef NODEATHS
              atomic { if :: changes[r]==seen -> asleep[p]=r+1 :: else fi };
#else
              atomic { if :: changes[r]==seen && deaths==known -> asleep[p]=r+1 :: else fi };
#endif
              asleep[p]==0; goto again
#endif
           :: else
           fi
        :: else -> r=0;
           do
#ifdef NOCLAIM
           :: r<R && object[r]!=0 -> r++
#else
           :: r<R && (object[r]!=0 || claimed(r)) -> r++
#endif
           :: else -> break
           od;
           if :: r==R -> leave(); goto next :: else fi
        fi;
        claim[r]=p+1;
#ifndef NOOBJECT
        if :: object[r]!=0 -> giveBack(r); leave(); goto again :: else fi;
#endif
        assert(object[r]==0);
        describe(n);
        leave();
        d_step { assert(!lives(building[n])); building[n]=p+1 };
        if
        :: d_step { assert(name[r]==n && object[r]==0); building[n]=0; object[r]=n }
        :: building[n]=0      /* it throws */
        fi;
        giveBack(r)
     :: !(FIRST>>p & 1) -> /* destroy */
#ifndef NOLOCK
        enter();
#endif
        named(n);
        if
        :: r<R && object[r]!=0 -> d_step { if :: object[r]!=0 -> assert(object[r]==n); object[r]=0 :: else fi }
        :: else
        fi;
#ifndef NOLOCK
        leave()
#endif
     fi;
next:skip; d_step { n=0; r=0; s=0; o=0; x=0; seen=0; known=0 }
  od
  } unless { dead[p] };
  atomic { ended[p]=1; over++; p=0 }
}

/* kills, and repairs */
active proctype killer() { byte q;
end: do
  :: atomic { kills<KILLS && over<N -> kills++;
       if :: !ended[0] && !dead[0] -> dead[0]=1 :: !ended[N-1] && !dead[N-1] -> dead[N-1]=1 :: !ended[N/2] && !dead[N/2] -> dead[N/2]=1 :: else fi };
     /* the repair */
     d_step { deaths++; q=0;
#ifndef NODEATHS
     do :: q<N -> asleep[q]=0; q++ :: else -> break od; q=0
#endif
     }
  od }

init { byte q, w;
  atomic { q=0; do :: q<N -> run peer(q); q++ :: else -> break od; q=0 };
  over==N;
  /* no name has two objects */
  d_step {
  do
  :: q<R -> w=q+1;
     do :: w<R -> assert(object[q]==0 || object[q]!=object[w]); assert(object[q]==0 || object[q]==name[q]); w++ :: else -> break od; q++
  :: else -> break
  od }
}
