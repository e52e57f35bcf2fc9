/* queue_wait: the asymmetric event count of decision 0001, both directions, with deaths.
 *
 * The ring is two counters (pos[S] published, pos[R] consumed, room for CAP messages).  Two senders and two receivers;
 * the second of a side joins when the first has closed or died.  Each side has a FIFO store buffer.  SIGKILL before any
 * statement.  The event word is kept as "has moved since the sleeper read it", and the tag beside SLEEPING, which is the event word's
 * value as the sleeper read it, as "the event word has another value by now": exact for what is compared.  One keeper stands for the keepers of the survivors; the kernel wakes ONE of those queued on a life word,
 * and a sleeper in futex_waitv stays queued on the life word until it runs again, even if the event word has woken it.
 * The last party of each side is never killed, so somebody is left to hang.
 *
 *   bounds        MSGS messages in all, CAP, KILLS, SBN entries in each store buffer
 *   -DFENCE       membarrier is refused: FENCE bit, the waker takes the slow path            -> must hold
 *   -DRECONLY     sleep on the event word only, recovery alone wakes                         -> must hold
 *   -DATT         a sleep leaves ATTENTIVE set, which makes the waker fence with each look; the next sleep then has no
 *                 membarrier. The waker clears it when it likes, by compare-exchange.           -> must hold
 *
 * Seeded mistakes, each must be caught:
 *   -DNOBARRIER     the sleeper does not call membarrier
 *   -DNOLOOK        the sleeper does not look again after membarrier
 *   -DLOOKPOS       it looks again at the position only, not at the other's role word
 *   -DLATEEVENT     it reads the event word after storing its flags
 *   -DNOCOMPARE     futex wait without comparing the event word
 *   -DWAKERCLEARS   the waker, not the sleeper, clears SLEEPING
 *   -DOLDTAG        the sleeper puts the tag of an earlier sleep beside SLEEPING
 *   -DWAKERCOUNTS   the waker remembers that it has woken this sleeper, instead of comparing the tag
 *   -DWAKEFIRST     the waker wakes before it changes the event word
 *   -DNOCLOSEWAKE   closing does not wake
 *   -DNOLIFE        sleep on the event word only, and recovery does not wake
 *   -DNORECWAKE     recovery does not increment and wake the event words: a sleeper that slept before the other side
 *                   was taken waits on no life word
 *   -DCHAININDEX    a sleeper that was woken looks at DIED only if the index futex_waitv returns is the life word's
 *   -DNOCHAIN       a sleeper woken by a life word does not pass the wake on
 *   -DNODRAIN       the ending is told without looking at the ring again
 *   -DNOFENCE       with FENCE: the slow path has no fence
 *   -DNOSETTLE      with FENCE: FENCE is set while the other side runs, and the first sleep is not a timed one
 *   -DATTFIRST      with ATT: the first sleep has no membarrier either
 *   -DATTJOIN       with ATT: who joins does not clear the bit that a killed one has left
 *   -DATTSTORE      with ATT: the waker clears the bit by a store
 *   -DATTNOFENCE    with ATT: the waker looks without a fence though the bit is set
 *   -DATTLATE       with ATT: the sleeper clears the bit itself when it wakes, and still counts on it in the next sleep
 */
#ifndef MSGS
#define MSGS 3
#endif
#ifndef CAP
#define CAP 1
#endif
#ifndef KILLS
#define KILLS 2
#endif
#ifndef KILLABLE
#define KILLABLE 3
#endif
#ifndef EARLY
#define EARLY 0
#endif
#ifndef SBN
#define SBN 2
#endif
#ifndef SECOND
#define SECOND 3
#endif
#ifdef NOLIFE
#define RECONLY
#define NORECWAKE
#endif
#define S 0
#define R 1
#define SLEEPING 1
#define FENCED 2
#define OLD 4
#define ATTENTIVE 8
#ifdef ATT
#define SLOW (SLEEPING|FENCED|ATTENTIVE)
#else
#define SLOW (SLEEPING|FENCED)
#endif
byte pos[2];                          /* published, consumed */
byte fl[2];                           /* direction 0: sender wakes receiver; 1: receiver wakes sender */
bit  moved[2];                        /* the event word has moved since the sleeper of this direction read it */
#ifdef WAKERCOUNTS
bit  woken[4];                        /* private to the waker: it has woken somebody */
#endif
byte roleP[2], roleS[2];              /* role words: party + 1, session */
byte rep[2];                          /* last session of the other side whose ending was told */
bit  act[4], crash[4], died[4], recd[4], over[2];
bit  asl[2], byEvent[2];              /* asleep; woken by the event word */
byte wat[2];                          /* party + 1 on whose life word the side is queued */
bit  ksl = 1;                         /* the keeper sleeps */
byte ends[4];                         /* ghost: messages published when sender session n ended */
bit  ended[8];                        /* ghost */
byte kills;

/* store buffers: address 0 = pos[x], 1 = fl[1-x], 2 = fl[x] */
byte ba[4], bv[4], bn[2];             /* two entries a side */
inline drain(x) {
  d_step {
    if :: ba[2*x]==0 -> pos[x]=bv[2*x] :: ba[2*x]==1 -> fl[1-x]=bv[2*x] :: else -> fl[x]=bv[2*x] fi;
    ba[2*x]=ba[2*x+1]; bv[2*x]=bv[2*x+1]; ba[2*x+1]=0; bv[2*x+1]=0; bn[x]--
  }
}
#define ST(x,a,v) atomic { bn[x]<SBN -> ba[2*x+bn[x]]=a; bv[2*x+bn[x]]=v; bn[x]++ }
#define OWNFENCE(x) (bn[x]==0)
proctype Flusher() { end: do :: atomic { bn[S]>0 -> drain(S) } :: atomic { bn[R]>0 -> drain(R) } od }

#define CAN ((x==S && p<o+CAP) || (x==R && p<o))
inline futexWake(y) { d_step { if :: asl[y] -> asl[y]=0; byEvent[y]=1 :: else fi } }
inline chain() { ksl=0 }              /* FUTEX_WAKE, all, on the life word: the keeper is the only other one queued */
#define DEADROLE(y) (roleP[y]!=0 && died[roleP[y]-1])

/* the event word of direction d gets another value: every tag read before is an old one now */
inline move(d) {
  d_step {
    moved[d]=1;
    if :: fl[d] & SLEEPING -> fl[d]=fl[d]|OLD :: else fi;
    if :: bn[1-d]>0 && ba[2-2*d]==1 && (bv[2-2*d] & SLEEPING) -> bv[2-2*d]=bv[2-2*d]|OLD :: else fi;
    if :: bn[1-d]>1 && ba[3-2*d]==1 && (bv[3-2*d] & SLEEPING) -> bv[3-2*d]=bv[3-2*d]|OLD :: else fi
  }
}
#ifdef OLDTAG
#define TAG(d) OLD
#else
#define TAG(d) (moved[d] -> OLD : 0)
#endif
/* after a publication by side x: wake direction x */
inline wake() {
  if
  :: !(fl[x] & SLOW)
  :: (fl[x] & SLOW) ->
     atomic {
#if !defined(NOFENCE) && !defined(ATTNOFENCE)
       OWNFENCE(x);
#endif
#ifdef WAKERCOUNTS
       if :: (fl[x] & SLEEPING) && !woken[me] -> woken[me]=1; can=1 :: else fi };
#else
       if :: (fl[x] & SLEEPING) && !(fl[x] & OLD) -> can=1 :: else fi };
#endif
     if
     :: can ->
#ifdef WAKEFIRST
        futexWake(1-x);
        atomic { OWNFENCE(x) -> move(x); can=0 };
#else
        atomic { OWNFENCE(x) -> move(x); can=0 };
        futexWake(1-x);
#endif
#ifdef WAKERCLEARS
        atomic { OWNFENCE(x) -> fl[x]=fl[x] & FENCED }
#endif
     :: else
#ifdef ATT
        if
#ifdef ATTSTORE
        :: fl[x]==ATTENTIVE -> ST(x,2,0)
#else
        :: atomic { fl[x]==ATTENTIVE && OWNFENCE(x) -> fl[x]=0 }
#endif
        :: true
        fi
#endif
     fi
  fi
}
proctype Party(byte me) {
  byte x, p, o, rp, rs; bit can, dead, settled;
#ifdef ATT
  bit had, slept;
#endif
  {
  skip;
end_join:
  atomic {                                            /* join: from an ended session, or from a dead peer's claim */
    (me%2==0 || ((roleS[me/2]>0 || died[me-1]) && (roleP[me/2]==0 || DEADROLE(me/2)))) ->
    x=me/2; roleP[x]=me+1; roleS[x]++; act[me]=1; p=pos[x]
#if defined(ATT) && !defined(ATTJOIN)
    ; fl[1-x]=0
#endif
  };
  do
  :: (x==S && p==MSGS) || (me%2==0 && p==1 && (EARLY & (x+1))) -> break                   /* close: at the end, or early */
  :: !(x==S && p==MSGS) ->
     atomic { o=pos[1-x]; can=CAN; o=0 };
look:
     if
     :: can ->
        atomic { bn[x]<SBN -> can=0; p++; ba[2*x+bn[x]]=0; bv[2*x+bn[x]]=p; bn[x]++ };
        wake()
     :: else ->
        atomic { rp=roleP[1-x]; rs=roleS[1-x]; dead=DEADROLE(1-x);
                 if :: (rp==0 || dead) && rs>rep[x] :: else -> rs=0; rp=0; dead=0 fi };
        if
        :: rs!=0 ->
#ifndef NOCHAIN
           if :: dead -> chain() :: else fi;
#endif
           atomic { dead=0;
             if
             :: roleS[1-x]!=rs || (rp!=0 && roleP[1-x]!=rp) -> rp=0; rs=0; goto again   /* somebody else has come */
             :: else -> rp=0
             fi };
#ifndef NODRAIN
           atomic { o=pos[1-x]; can=CAN; o=0; if :: can -> rs=0; goto look :: else fi };
#endif
           d_step {                                                    /* tell */
             assert(ended[4*x+rs]); assert(rs>rep[x]);
             if :: x==R -> assert(p>=ends[rs]) :: else fi;
             rep[x]=rs; rs=0 }
        :: else ->
           /* ---- sleep ---- */
#ifdef LOOKPOS
           atomic { rp=roleP[1-x]; if :: DEADROLE(1-x) -> rp=0 :: else fi };
#endif
#ifndef LATEEVENT
           moved[1-x]=0;                                               /* e = load event */
#endif
#ifdef FENCE
           atomic { bn[x]<SBN -> ba[2*x+bn[x]]=1; bv[2*x+bn[x]]=SLEEPING|FENCED|TAG(1-x); bn[x]++ };
           OWNFENCE(x);
#ifndef NOSETTLE
           if :: !settled -> atomic { bn[1-x]==0 -> settled=1 } :: else fi;     /* a short timed sleep, once */
#endif
#else
#ifdef ATT
           atomic { OWNFENCE(x) -> had=(fl[1-x] & ATTENTIVE) != 0; fl[1-x]=SLEEPING|ATTENTIVE|TAG(1-x) };
#ifdef ATTFIRST
           had=1;
#endif
#ifdef ATTLATE
           had=slept; slept=1;
#endif
           if :: had :: else -> (bn[1-x]==0) fi;                       /* membarrier */
           had=0;
#else
           atomic { bn[x]<SBN -> ba[2*x+bn[x]]=1; bv[2*x+bn[x]]=SLEEPING|TAG(1-x); bn[x]++ };
#endif
#if !defined(NOBARRIER) && !defined(ATT)
           OWNFENCE(x); (bn[1-x]==0);                                  /* membarrier */
#endif
#endif
#ifdef LATEEVENT
           moved[1-x]=0;
#endif
#ifndef NOLOOK
           atomic { o=pos[1-x]; can=CAN; o=0; if :: can -> rp=0; goto clear :: else fi };
#endif
#ifndef LOOKPOS
           atomic { rp=roleP[1-x]; dead=DEADROLE(1-x); if :: dead -> rp=0 :: else fi;
                    if :: rp==0 && roleS[1-x]>rep[x] -> dead=0; goto clear :: else -> dead=0 fi };
#endif
           atomic { OWNFENCE(x) ->                                     /* futex_waitv */
#ifdef RECONLY
             rp=0;
#endif
             if
#ifdef NOCOMPARE
             :: (rp==0 || !died[rp-1]) ->
#else
             :: !moved[1-x] && (rp==0 || !died[rp-1]) ->
#endif
                asl[x]=1; wat[x]=rp
             :: else
             fi };
end_sleep: (asl[x]==0);
           /* queued on the life word until here */
#ifdef CHAININDEX
           atomic { wat[x]=0; if :: byEvent[x] -> rp=0 :: else fi; byEvent[x]=0 };
#else
           atomic { wat[x]=0; byEvent[x]=0 };
#endif
#ifndef NOCHAIN
           if :: rp!=0 && died[rp-1] -> chain() :: else fi;
#endif
clear:     atomic { rp=0; can=0;
#ifdef ATT
             OWNFENCE(x);
#ifdef ATTLATE
             fl[1-x]=0
#else
             fl[1-x]=fl[1-x] & ATTENTIVE
#endif
#elif !defined(WAKERCLEARS)
             bn[x]<SBN -> ba[2*x+bn[x]]=1; bn[x]++;
#ifdef FENCE
             bv[2*x+bn[x]-1]=FENCED
#else
             bv[2*x+bn[x]-1]=0
#endif
#endif
           }
        fi
     fi;
again: skip
  od;
  atomic { OWNFENCE(x) -> roleP[x]=0;                                  /* close: one CAS */
           ended[4*(1-x)+roleS[x]]=1; if :: x==S -> ends[roleS[x]]=p :: else fi };
#ifndef NOCLOSEWAKE
  wake();
#endif
  goto gone
  } unless { crash[me] };
  /* the kernel: the stores land, the life word is marked, ONE of those queued on it is woken */
  atomic { asl[x]=0; wat[x]=0; byEvent[x]=0; bn[x]==0 ->
    died[me]=1;
    if :: roleP[x]==me+1 -> ended[4*(1-x)+roleS[x]]=1; if :: x==S -> ends[roleS[x]]=pos[S] :: else fi :: else fi;
    if
    :: wat[1-x]==me+1 -> asl[1-x]=0
    :: ksl -> ksl=0
    :: wat[1-x]!=me+1 && !ksl
    fi
  };
gone:
  atomic { act[me]=0; if :: me%2 -> over[x]=1 :: else fi; p=0; x=0; o=0; rp=0; rs=0; can=0; dead=0; settled=0
#ifdef ATT
  ; had=0; slept=0
#endif
  }
}
#define UNREC(i) (died[i] && !recd[i])
#define ANYUNREC (UNREC(0) || UNREC(1) || UNREC(2) || UNREC(3))
proctype Keeper() {
  byte i, y;
  do
  :: atomic { ANYUNREC ->
       if :: UNREC(0) -> i=0 :: UNREC(1) -> i=1 :: UNREC(2) -> i=2 :: UNREC(3) -> i=3 fi; y=i/2 };
     d_step { if :: wat[1-y]==i+1 && asl[1-y] -> asl[1-y]=0 :: else fi };               /* chain */
     d_step { if :: roleP[y]==i+1 -> roleP[y]=0 :: else fi };                           /* {dead, s} -> {0, s, died} */
#ifndef NORECWAKE
     move(S); futexWake(R);
     move(R); futexWake(S);
#endif
     d_step { recd[i]=1; i=0; y=0 }
  :: atomic { !ANYUNREC -> ksl=1 };
end_k:  (ksl==0)
  od
}
proctype Killer() {
end: do :: d_step { kills<KILLS && (KILLABLE & 1) && act[0] && !crash[0] -> kills++; crash[0]=1 }
        :: d_step { kills<KILLS && (KILLABLE & 2) && act[2] && !crash[2] -> kills++; crash[2]=1 }
     od
}
/* nothing runs any more: is anybody asleep who should not be? */
#define STILL(x) ((asl[x] && act[2*x]+act[2*x+1]==1) \
                  || (!act[2*x] && !act[2*x+1] && (over[x] || (!(SECOND & (x+1)) && roleS[x]==1))))
#define QUIET (ksl && bn[S]==0 && bn[R]==0 && STILL(S) && STILL(R) && !(act[0] && crash[0]) && !(act[2] && crash[2]))
proctype Monitor() {
end: do :: d_step { QUIET ->
       assert(!ANYUNREC);
       if :: asl[R] ->
             assert(pos[R]==pos[S]);
             assert(roleP[S]!=0 || rep[R]==roleS[S])
       :: else fi;
       if :: asl[S] ->
             assert(pos[S]==pos[R]+CAP);
             assert(roleP[R]!=0 || rep[S]==roleS[R])
       :: else fi } od
}
init { atomic { run Party(0); run Party(2); if :: SECOND & 1 -> run Party(1) :: else fi; if :: SECOND & 2 -> run Party(3) :: else fi;
  run Flusher(); run Keeper(); run Killer(); run Monitor() } }
