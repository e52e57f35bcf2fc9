/* dictionary: a list of entries that is changed in a lock which a death frees (SharedDictionary): put and remove, what a dead one has left and the next one mends, reading without the lock.
 *
 * N processes do OPS changes each: put a value that nobody has put before, or remove, under keys 1 ... KEYS; the last has one already.  A new entry is a block in hand until it is `coming`; an old one is `going` until it is freed.  `mend` is
 * what put itself does with them, and whoever gets the lock after a death.  A reader looks LOOKS times without the lock: stamp, list, value, stamp; blocks that are freed are allocated and written again while it is at
 * them, also by somebody who has nothing to do with the dictionary.  SIGKILL before any statement (KILLS); what a dead one has in hand is freed later on.  In the end somebody has the lock once more.
 *
 * Abstract here: the lock (lock.pml); the arena's change of a link, which with the block leaving the hand or being freed is one step (arena.pml); the hash: the key is the place in the list; buckets, which are put into
 * the list once and stay; memory order.
 *
 *   bounds        N, OPS, KEYS, B (blocks), LOOKS, KILLS
 *
 * What must hold, when whoever has the lock has mended: the list has each key once, in order, with the value of the last change that was begun, count says how many, each block is free, in the list or in the hand of
 * somebody, and none in the list is free.  A change has happened once its block is coming or going, and not before.  A reader returns a value that its key had at some time during the look (0: none).
 *
 * Seeded mistakes, each must be caught:
 *   -DNOSTAMP       nothing changes the stamp
 *   -DSTAMPLATE     the stamp is changed after the block was freed
 *   -DNOCOMPARE     the reader does not compare the stamp
 *   -DNOMEND        who gets the lock does not mend
 *   -DCOUNTFIRST    count goes up before the entry is in the list, without planned
 *   -DCOUNTLATE     count goes up after that, without planned
 *   -DPLANNEDLATE   planned is written after the entry is in the list
 *   -DOLDPLANNED    replacing does not write planned
 *   -DCOMINGFIRST   coming is cleared before the entry is in the list
 *   -DNOLOOK        mending does not look whether the entry is in the list already
 *   -DNEXTLATE      the entry is in the list before it names the next one
 *   -DFREEFIRST     replacing frees the old one before the new one is in the list
 *   -DREPLACELATE   replacing names going after the list was changed
 *   -DREMOVELATE    removing names going after the list was changed
 *   -DNOUNLINK      mending frees what is going without a look at the list
 *   -DKEYONLY       mending takes whatever has the key of what is going out of the list
 */
#ifndef N
#define N 2
#endif
#ifndef OPS
#define OPS 2
#endif
#ifndef KEYS
#define KEYS 2
#endif
#ifndef B
#define B 3
#endif
#ifndef LOOKS
#define LOOKS 0
#endif
#ifndef KILLS
#define KILLS 0
#endif

byte next[B+1], key[B+1], val[B+1];                    /* node 0 is the beginning of the list */
bit used[B+1];
byte lock, stamp, coming, going, count, planned;
bit dead[N+1], ended[N]; byte hand[N+1], kills, over;
/* ghost: what each key has by the changes that were begun, and by the list; what the reader may return */
byte vals, want[KEYS+1], now[KEYS+1], wanted; short had;

inline enter() { atomic { lock==0 || dead[lock-1] -> lock=p+1 } }
inline leave() { lock=0 }

/* where k is (cur; 0: nowhere) or belongs (behind bef). The list is the holder's of the lock. */
inline locate(k) { d_step { bef=0; cur=next[0]; i=0;
  do :: cur!=0 && key[cur]<k -> bef=cur; cur=next[cur]; i++; assert(i<=B) :: else -> break od;
  if :: cur!=0 && key[cur]!=k -> cur=0 :: else fi; i=0 } }

inline names(b, n, k, v) { d_step { next[b]=n; assert(v==want[k]); now[k]=v; if :: k==wanted -> had=had | (1<<v) :: else fi } }

inline isOut(e) { d_step { i=next[0]; v=0; do :: i!=0 && i!=e -> i=next[i]; v++; assert(v<=B) :: else -> break od; assert(i==0); v=0 } }

inline release(e) {
#if !defined(COUNTFIRST) && !defined(COUNTLATE)
  count=planned;
#endif
#if !defined(NOSTAMP) && !defined(STAMPLATE)
  stamp++;
#endif
  atomic { isOut(e); used[e]=0; going=0 };
#ifdef STAMPLATE
  stamp++
#endif
}

inline insert(e) {
  locate(key[e]);
  if
#ifdef NOLOOK
  :: cur==0 || cur==e ->
#else
  :: cur==0 ->
#endif
#ifdef COUNTFIRST
     count++;
#elif !defined(PLANNEDLATE)
     planned=count+1;
#endif
#ifdef NEXTLATE
     v=next[bef]; names(bef, e, key[e], val[e]); next[e]=v;
#else
     next[e]=next[bef]; names(bef, e, key[e], val[e]);
#endif
#ifdef PLANNEDLATE
     planned=count+1;
#endif
#ifdef COUNTLATE
     count++
#endif
#ifndef NOLOOK
  :: cur==e
#endif
  :: cur!=0 && cur!=e ->
#ifndef OLDPLANNED
     planned=count;
#endif
     next[e]=next[cur];
#if defined(FREEFIRST)
     going=cur; names(bef, next[cur], key[e], 0); release(cur); names(bef, e, key[e], val[e])
#elif defined(REPLACELATE)
     names(bef, e, key[e], val[e]); going=cur
#else
     going=cur; names(bef, e, key[e], val[e])
#endif
  fi }

inline mend() {
  e=coming;
  if
  :: e!=0 ->
#ifdef COMINGFIRST
     coming=0; insert(e); count=planned
#else
     insert(e);
#if !defined(COUNTFIRST) && !defined(COUNTLATE)
     count=planned;
#endif
     coming=0
#endif
  :: else
  fi;
  e=going;
  if
  :: e!=0 ->
#ifndef NOUNLINK
     locate(key[e]);
#ifdef KEYONLY
     if :: cur!=0 -> names(bef, next[cur], key[e], 0) :: else fi;
#else
     if :: cur==e -> names(bef, next[e], key[e], 0) :: else fi;
#endif
#endif
     release(e)
  :: else
  fi;
  e=0; bef=0; cur=0 }

/* after mending */
inline check() { skip; d_step {
  assert(coming==0 && going==0);
  cur=next[0]; i=0; bef=0;
  do
  :: cur!=0 -> i++; assert(i<=B && used[cur] && key[cur]>bef && val[cur]==want[key[cur]]); bef=key[cur]; cur=next[cur]
  :: else -> break
  od;
  assert(i==count);
  bef=1; do :: bef<=KEYS -> assert(want[bef]==now[bef]); if :: want[bef]!=0 -> i-- :: else fi; bef++ :: else -> break od;
  assert(i==0);
  bef=1; i=count; do :: bef<=B -> if :: used[bef] -> i++ :: else fi; bef++ :: else -> break od;
  bef=0; do :: bef<=N -> if :: hand[bef]!=0 -> i-- :: else fi; bef++ :: else -> break od;
  assert(i==2*count);
  cur=0; i=0; bef=0 } }

inline mended() {
#ifndef NOMEND
  mend();
#endif
  check() }

proctype Changer(byte p) {
  byte ops, k, e, v, bef, cur, i;
  {
  do
  :: ops==OPS -> break
  :: ops<OPS -> ops++;
     if :: k=1 :: KEYS>1 -> k=2 fi;
     if
     :: skip;     /* put */
        enter(); mended();
        d_step { e=1; do :: e<=B && used[e] -> e++ :: else -> break od; if
           :: e<=B -> used[e]=1; hand[p]=e :: else -> e=0 fi };
        if
        :: e!=0 ->
           next[e]=0; key[e]=k;
           d_step { vals++; val[e]=vals };
           d_step { coming=e; hand[p]=0; want[k]=val[e] };
           mend()
        :: else      /* no room */
        fi;
        leave()
     :: skip;     /* remove */
        enter(); mended();
        locate(k); e=cur;
        if
        :: e!=0 ->
           planned=count-1;
#ifdef COUNTFIRST
           count--;
#endif
#ifdef REMOVELATE
           names(bef, next[e], k, 0); d_step { going=e; want[k]=0 };
#else
           d_step { going=e; want[k]=0 }; names(bef, next[e], k, 0);
#endif
#ifdef COUNTLATE
           count--;
#endif
           release(e)
        :: else
        fi;
        leave()
     fi;
     d_step { k=0; e=0; v=0; bef=0; cur=0 }
  od
  } unless { dead[p] };
  atomic { if :: !dead[p] -> ended[p]=1; over++ :: else fi; ops=0; k=0; e=0; v=0; bef=0; cur=0; i=0 }
}

proctype Reader() {
  byte looks, s, cur, last, k, v; bit bad;
  do
  :: looks==LOOKS -> break
  :: looks<LOOKS -> looks++;
     if :: wanted=1 :: KEYS>1 -> wanted=2 fi;
again:
     skip; d_step { s=stamp; had=1<<now[wanted] };
     cur=next[0];
     do
     :: cur==0 -> break
     :: cur!=0 ->
        k=key[cur];
        if
        :: k<=last -> bad=1; break
        :: k>last && k<wanted -> last=k; cur=next[cur]
        :: k>last && k==wanted -> v=val[cur]; break
        :: k>last && k>wanted -> break
        fi
     od;
     cur=0; last=0; k=0;
#ifdef NOCOMPARE
     if :: skip ->
#else
     if
     :: stamp!=s -> v=0; bad=0; goto again
     :: stamp==s ->
#endif
        d_step { assert(!bad && (had>>v & 1)); v=0; had=0; wanted=0 }
     fi
  od; s=0
}

/* another user of the arena, without the lock */
proctype Other() {
  byte e;
  d_step { e=1; do :: e<=B && used[e] -> e++ :: else -> break od; if
     :: e<=B -> used[e]=1; hand[N]=e :: else -> e=0 fi };
  if
  :: e!=0 -> next[e]=0; key[e]=KEYS; val[e]=15; d_step { used[e]=0; hand[N]=0 }
  :: else
  fi; e=0
}

init {
  byte p=N, e, v, bef, cur, i;
  d_step { used[1]=1; key[1]=KEYS; val[1]=1; next[0]=1; count=1; vals=1; want[KEYS]=1; now[KEYS]=1 };
  atomic { i=0; do :: i<N -> run Changer(i); i++ :: else -> break od; i=0; if :: LOOKS>0 -> run Reader(); run Other() :: else fi };
  /* kills; what a dead one had in hand is freed, and it is over with it */
  do
  :: d_step { kills<KILLS && !ended[0] && !dead[0] -> kills++; dead[0]=1 }
  :: d_step { N>1 && kills<KILLS && !ended[N-1] && !dead[N-1] -> kills++; dead[N-1]=1 }
  :: d_step { dead[0] && !ended[0] -> if :: hand[0]!=0 -> used[hand[0]]=0; hand[0]=0 :: else fi; ended[0]=1; over++ }
  :: d_step { N>1 && dead[N-1] && !ended[N-1] -> if :: hand[N-1]!=0 -> used[hand[N-1]]=0; hand[N-1]=0 :: else fi; ended[N-1]=1; over++ }
  :: over==N -> break
  od;
  enter(); mended(); leave()
}
