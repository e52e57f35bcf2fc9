/* peers: life words, death, repair and leaving of decision 0002.
 *
 * NK keepers (one per process) and NS slots.  SIGKILL of any keeper before any statement; the kernel marks the life words that
 * its list or list_op_pending names and wakes ONE of those queued.  A keeper sleeps on membership, deaths and the life words
 * of the others; it stays queued on a life word until it runs again, whatever has woken it.  A caller, in a process that is
 * never killed, sleeps on deaths and on the life word of slot 0.  All shared words are sequentially consistent here: claims
 * and counters are read-modify-writes, and a killed keeper's stores have landed before the kernel marks the word.
 * Counters are kept as "has moved since k read it".
 *
 *   bounds          NK, NS, KILLS, RING entries of death records, LEAVERS (bit per keeper that may leave),
 *                   LATE (bit per keeper that joins while the others run; the rest have joined)
 *
 * What the decision leaves open, and how it is read here so that it holds:
 *   a joiner increments and wakes membership BEFORE it stores state = joined (-DLATEANNOUNCE: the other order)
 *   a repairer looks again after repair = 0                                  (-DNORESCAN: it does not)
 *   a repairer clears state before life = 0                                  (-DSTATESTALE: it does not)
 *   "a record is there" means: among the published ones                      (-DRECSKIP: anywhere in the ring)
 *   keepers sleep on deaths too                                              (-DNODEATHS: they do not)
 *
 * Seeded mistakes, each must be caught: the five above, and
 *   -DNOSTEAL       a dead repairer's claim cannot be taken over
 *   -DSTEALALIVE    the claim is taken over without seeing the claimant dead
 *   -DDUPRECORD     the second repairer does not look for the record
 *   -DRING=1        so many deaths between two repairers that the record has left the ring
 *   -DLIFEFIRST     life = 0 before the record
 *   -DNOCHAIN       who is woken by a life word does not pass the wake on
 *   -DLEAVENOPENDING, -DCLAIMNOPENDING   list_op_pending not set while leaving, while claiming
 *   -DLEAVENOWAKE   leaving does not wake
 *   -DNOWATCHREPAIRER   who finds the claim taken by a living peer sleeps without that peer's life word
 *   -DLATEWORDS     a keeper reads the life words that it sleeps on after it has looked at the claim
 *   -DSAMETID       two keepers have the same TID (two PID namespaces) and nothing keeps joiners and leavers apart
 *                   (with -DJOINLOCK, a file lock around claiming and leaving, it holds)
 *   -DSKIPOWNTID    with -DSAMETID -DJOINLOCK: a keeper does not watch life words that hold its own TID
 */
#ifndef NK
#define NK 3
#endif
#ifndef NS
#define NS 3
#endif
#ifndef KILLS
#define KILLS 2
#endif
#ifndef RING
#define RING 4
#endif
#ifndef LATE
#define LATE 4
#endif
#ifndef LEAVERS
#define LEAVERS 0
#endif
#define DIED 15
#define BIT(s) (1<<(s))
#ifdef SAMETID
#define TID(k) (k==0 && NK>2 -> 1 : 2)
#else
#define TID(k) (k+1)
#endif
byte life[NS], gen[NS], owner[NS];    /* owner is a ghost: keeper + 1 */
bit  state[NS];
byte repair;                          /* PeerID of the repairer: gen * NS + slot + 1 */
byte deaths, rec[RING];
byte lock;                            /* keeper + 1 that holds the file lock (JOINLOCK) */
#define PEER(s) (gen[s]*NS+(s)+1)
bit  mMoved[NK], dMoved[NK+1];        /* membership, deaths: moved since k read it; NK is the caller */
bit  asl[NK+1]; byte q[NK+1];         /* asleep; slots on whose life word k is queued */
byte linked[NK], pend[NK];            /* slot + 1: private, read by the kernel */
bit  act[NK], crash[NK], gone[NK];
bit  joined[NK], jd[NK]; byte recn[NK];   /* ghosts: has joined; died joined; records of its death */
byte kills;

inline wakeMembership() { d_step { asl[0]=0; asl[1]=0; if :: NK>2 -> asl[NK-1]=0 :: else fi } }
/* membership + 1 (one read-modify-write) */
inline announce() { d_step { mMoved[0]=1; mMoved[1]=1; mMoved[NK-1]=1 } }
inline incDeaths() { dMoved[0]=1; dMoved[1]=1; dMoved[NK-1]=1; dMoved[NK]=1; deaths++ }
#ifdef NODEATHS
inline wakeDeaths() { asl[NK]=0 }
#else
inline wakeDeaths() { d_step { asl[0]=0; asl[1]=0; asl[NK-1]=0; asl[NK]=0 } }
#endif
/* FUTEX_WAKE, all, on the life word of slot z */
inline wakeLife(z) { d_step {
  if :: q[0] & BIT(z) -> asl[0]=0 :: else fi;
  if :: q[1] & BIT(z) -> asl[1]=0 :: else fi;
  if :: q[NK-1] & BIT(z) -> asl[NK-1]=0 :: else fi;
  if :: q[NK] & BIT(z) -> asl[NK]=0 :: else fi } }
/* the kernel wakes one of those queued */
inline wakeOne(z) {
  if
  :: (q[0] & BIT(z)) -> asl[0]=0
  :: (q[1] & BIT(z)) -> asl[1]=0
  :: (q[NK-1] & BIT(z)) -> asl[NK-1]=0
  :: (q[NK] & BIT(z)) -> asl[NK]=0
  :: !((q[0]|q[1]|q[NK-1]|q[NK]) & BIT(z))
  fi
}
/* handle_futex_death */
inline hfd(z, pending) {
  if
  :: pending && life[z]==0 -> wakeOne(z)
  :: life[z]==TID(k) -> life[z]=DIED; wakeOne(z)
  :: else
  fi
}
#define LOCK   atomic { lock==0 -> lock=k+1 }
#define UNLOCK lock=0

#define SAME(z) (!(watch & BIT(z)) || life[z]==seen[z])
#ifdef NODEATHS
#define NOTMOVED !mMoved[k]
#else
#define NOTMOVED (!mMoved[k] && !dMoved[k])
#endif
proctype Keeper(byte k) {
  byte me, s, r, watch, i; byte seen[NS]; bit dead, dup;
#ifdef NORESCAN
  bit nr;
#endif
  {
  /* ---- join ---- */
  if
  :: !(LATE & BIT(k)) -> d_step { act[k]=1; me=k }; goto loop
  :: else -> act[k]=1
  fi;
#ifdef JOINLOCK
  LOCK;
#endif
claim:
  atomic {
    if :: life[0]==0 -> s=0 :: life[1]==0 -> s=1
#if NS>2
       :: life[2]==0 -> s=2
#endif
    fi
#ifndef CLAIMNOPENDING
    ; pend[k]=s+1
#endif
  };
  atomic { if :: life[s]==0 -> life[s]=TID(k); owner[s]=k+1; me=s; s=0 :: else -> s=0; goto claim fi };
  linked[k]=me+1;
  pend[k]=0;
#ifdef JOINLOCK
  UNLOCK;
#endif
#ifdef LATEANNOUNCE
  d_step { state[me]=1; joined[k]=1 };
#endif
  announce(); wakeMembership();
#ifndef LATEANNOUNCE
  d_step { state[me]=1; joined[k]=1 };
#endif
  /* ---- the keeper's loop ---- */
loop:
  do
  :: (LEAVERS & BIT(k)) -> break
  :: true ->
     d_step { watch=0; seen[0]=0; seen[1]=0; seen[NS-1]=0; dMoved[k]=0; mMoved[k]=0; if :: me==0 -> s=1 :: else -> s=0 fi };
     do
     :: atomic { s<NS ->
          if
          :: s==me
          :: else ->
             if
             :: life[s]==DIED -> dead=1
#ifdef SKIPOWNTID
             :: life[s]==TID(k)
             :: life[s]!=0 && life[s]!=DIED && life[s]!=TID(k) -> watch=watch|BIT(s); seen[s]=life[s]
#else
             :: life[s]!=0 && life[s]!=DIED -> watch=watch|BIT(s); seen[s]=life[s]
#endif
             :: life[s]==0
             fi
          fi;
          s++; if :: s==me -> s++ :: else fi }
     :: atomic { s>=NS -> s=0; break }
     od;
     if
     :: dead ->
        dead=0;
#ifdef NORESCAN
        if :: nr -> nr=0; goto sleep :: else fi;      /* makes its list of the living, and sleeps */
#endif
#ifndef NOCHAIN
        do
        :: atomic { s<NS -> do :: s<NS && life[s]!=DIED -> s++ :: else -> break od; if :: s<NS -> wakeLife(s); s++ :: else fi }
        :: atomic { s>=NS -> s=0; break }
        od;
#endif
        r=repair;
        /* take the claim: from nobody, or from a claimant that is dead */
        if
#ifndef NOSTEAL
#ifdef STEALALIVE
        :: r!=0 && r!=PEER(me) ->
#else
        :: r!=0 && r!=PEER(me) && life[(r-1)%NS]==DIED && gen[(r-1)%NS]==(r-1)/NS ->
#endif
           atomic { if :: repair==r -> repair=PEER(me); r=0 :: else -> r=0; goto again fi }
#endif
        :: r==0 -> atomic { if :: repair==0 -> repair=PEER(me) :: else -> goto again fi }
        :: else -> r=0;                                /* a living peer is at it, and looks again when done */
#ifdef NOWATCHREPAIRER
           watch=0;
#endif
           goto sleep
        fi;
        d_step { watch=0; seen[0]=0; seen[1]=0; seen[NS-1]=0 };
        do
        :: s<NS ->
           if
           :: atomic { life[s]==DIED -> assert(owner[s]!=0 && gone[owner[s]-1]) };     /* recover the objects */
              r=owner[s];                                                                  /* ghost */
#ifdef LIFEFIRST
              d_step { life[s]=0; owner[s]=0 }; wakeLife(s);
#endif
              if
              :: state[s] ->
#ifndef DUPRECORD
                 d_step {
                   i=0; dup=0;
                   do
#ifdef RECSKIP
                   :: i<RING -> if :: rec[i]==PEER(s) -> dup=1 :: else fi; i++
#else
                   :: i<RING -> if :: rec[i]==PEER(s) && (deaths>RING || i<deaths%RING || (deaths>=RING && i>=deaths%RING)) -> dup=1 :: else fi; i++
#endif
                   :: else -> break
                   od; i=0 };
#endif
                 if
                 :: !dup ->
                    rec[deaths%RING]=PEER(s);
                    d_step { incDeaths(); assert(joined[r-1]); recn[r-1]++; assert(recn[r-1]==1) }
                 :: else -> dup=0
                 fi
              :: else
              fi;
#ifndef STATESTALE
              state[s]=0;
#endif
              gen[s]++;
#ifndef LIFEFIRST
              d_step { life[s]=0; owner[s]=0 };
              wakeLife(s);
#endif
              d_step { r=0; s++ }
           :: atomic { life[s]!=DIED -> s++; if :: s<NS && s==me -> s++ :: else fi }
           fi
        :: else -> s=0; break
        od;
        repair=0;
        wakeDeaths();
#ifdef NORESCAN
        nr=1
#endif
     :: else ->
sleep:
#ifdef LATEWORDS
        atomic {
          s=0;
          do
          :: s<NS && (watch & BIT(s)) && life[s]==DIED -> watch=watch & ~BIT(s); s++
          :: s<NS && !((watch & BIT(s)) && life[s]==DIED) -> s++
          :: else -> s=0; break
          od };
#endif
        atomic {
          if
          :: SAME(0) && SAME(1) && SAME(NS-1) && NOTMOVED -> asl[k]=1; q[k]=watch
          :: else
          fi;
          d_step { watch=0; seen[0]=0; seen[1]=0; seen[NS-1]=0 } };
        if
        :: atomic { !asl[k] -> q[k]=0 }
        :: atomic { (LEAVERS & BIT(k)) -> asl[k]=0; q[k]=0 }
        fi
     fi;
again: skip
  od;
  /* ---- leave ---- */
#ifdef JOINLOCK
  LOCK;
#endif
#ifndef LEAVENOPENDING
  pend[k]=me+1;
#endif
  linked[k]=0;
  state[me]=0;
  gen[me]++;
  d_step { life[me]=0; owner[me]=0 };
#ifndef LEAVENOWAKE
  wakeLife(me);
#endif
  pend[k]=0;
#ifdef JOINLOCK
  UNLOCK;
#endif
#ifndef LEAVENOWAKE
  announce(); wakeMembership();
#endif
  goto over
  } unless { crash[k] };
  /* the kernel, in the dying thread */
  atomic {
    asl[k]=0; q[k]=0;
    gone[k]=1;
    if :: joined[k] && owner[me]==k+1 && state[me] -> jd[k]=1 :: else fi;
    if :: linked[k]!=0 && linked[k]!=pend[k] -> s=linked[k]-1; hfd(s,0) :: else fi };
  atomic { if :: pend[k]!=0 -> s=pend[k]-1; hfd(s,1) :: else fi };
#ifdef JOINLOCK
  d_step { if :: lock==k+1 -> lock=0 :: else fi };
#endif
over:
  atomic { act[k]=0; gone[k]=1; linked[k]=0; pend[k]=0; mMoved[k]=0; dMoved[k]=0;
    me=0; s=0; r=0; watch=0; i=0; seen[0]=0; seen[1]=0; seen[NS-1]=0; dead=0; dup=0 }
}
proctype Caller() {
  byte seen;
end:
  do
  :: dMoved[NK]=0;
     seen=life[0];
#ifndef NOCHAIN
     if :: seen==DIED -> wakeLife(0) :: else fi;
#endif
     atomic {
       if
       :: !dMoved[NK] && (seen==DIED || seen==life[0]) -> asl[NK]=1; if :: seen!=DIED -> q[NK]=1 :: else fi
       :: else
       fi; seen=0 };
     atomic { !asl[NK] -> q[NK]=0 }
  od
}
proctype Killer() {
end: do
  :: d_step { kills<KILLS && act[0] && !crash[0] -> kills++; crash[0]=1 }
  :: d_step { kills<KILLS && act[1] && !crash[1] -> kills++; crash[1]=1 }
#if NK>2
  :: d_step { kills<KILLS && act[2] && !crash[2] -> kills++; crash[2]=1 }
#endif
  od
}
#define STILL(k) (!crash[k] && asl[k] || gone[k] && !act[k])
#define QUIET (STILL(0) && STILL(1) && STILL(NK-1) && asl[NK])
#define SURVIVOR (asl[0] || asl[1] || asl[NK-1])
proctype Monitor() {
  byte i;
end: do :: d_step { QUIET && SURVIVOR ->
    i=0;
    do
    :: i<NK -> assert(!jd[i] || recn[i]==1); assert(!asl[i] || !dMoved[i]); i++
    :: else -> break
    od;
    assert(!dMoved[NK]);
    assert(repair==0);
    i=0;
    do
    :: i<NS -> assert(life[i]!=DIED || (owner[i]!=0 && !joined[owner[i]-1])); assert(life[i]==0 || life[i]==DIED || !gone[owner[i]-1]); i++
    :: else -> break
    od;
    i=0 } od
}
#define THERE(k) life[k]=TID(k); owner[k]=k+1; linked[k]=k+1; state[k]=1; joined[k]=1
init { atomic {
  if :: !(LATE & 1) -> THERE(0) :: else fi; if :: !(LATE & 2) -> THERE(1) :: else fi;
#if NK>2
  if :: !(LATE & 4) -> THERE(2) :: else fi;
#endif
  run Keeper(0); run Keeper(1);
#if NK>2
  run Keeper(2);
#endif
  run Caller(); run Killer(); run Monitor() } }
