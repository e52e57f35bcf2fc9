/* fan_in: the lanes of decision 0013: claiming, sleeping and waking of many senders and one receiver, with deaths.
 *
 * What stands in one lane is the 1:1 queue of queue_data.pml, here two counters a lane. New is: the receiver sleeps once for all lanes, and
 * looks at those lanes only that were in use when `ev` was last seen to change; a lane's sender says what it wants, begins each sleep with a
 * barrier, and the receiver looks at that without a fence; a lane that was left or whose sender died is the next sender's at once; the
 * receiver's end is told to all lanes.
 *
 * LANES lanes of CAP messages, three senders (the third joins when a lane is free), two receivers (the second joins when the first has
 * died). Each store may stay behind in its processor, in any order: pub (pp), con (cp), want (wp). SIGKILL before any statement. One keeper stands for the survivors'.
 *
 *   bounds        M0, M1 messages of the two senders (a third has M1), CAP, KILLS, KILLABLE (1, 2, 4 the senders, 8 the first receiver), SENDERS
 *
 *   -DHALT        who is to be killed is stopped instead, for good: nobody is told          -> must hold; not run to its end yet
 *
 * Seeded mistakes, each must be caught:
 *   -DNOBARRIER     the receiver sleeps without a barrier
 *   -DNOLOOK        the receiver does not look at its lanes again after the barrier
 *   -DONELANE       it looks again at one lane only
 *   -DOLDROUND      it does not look again whether there are new lanes
 *   -DNOJOINWAKE    who joins does not count `ev` up
 *   -DJOINFIRST     who joins counts it up before it claims the lane
 *   -DNOCOMPARE     futex wait without comparing the event
 *   -DATTFIRST      the receiver's first sleep has no barrier either
 *   -DATTNOFENCE    a sender looks without a fence though ATTENTIVE is set
 *   -DSNOBARRIER    a sender's sleep has a fence and no barrier, as if the receiver fenced
 *   -DSNOLOOK       a sender does not look at `con` again after the barrier
 *   -DWANTMORE      the receiver wakes a sender only when the lane is empty and it has more than it wants
 *   -DRECNOWAKE     recovery of a sender does not wake the receiver, which then never hears of the end
 *   -DEARLYFREE     a dead sender's lane is given on while its last store is on the way
 *   -DNOCLAIM       a lane is claimed by looking and then storing
 *   -DSKIPLANES     the second receiver begins with the lanes that get a sender after it has come
 * Not shown yet: the receiver's death (KILLABLE=8) held as far as it ran and did not come to its end; and
 *   -DTAGONLY       with HALT: a sender does not wake when another has counted `ev` up already, and is stopped before it wakes
 */
#ifndef M0
#define M0 2
#endif
#ifndef M1
#define M1 1
#endif
#ifndef CAP
#define CAP 1
#endif
#ifndef KILLS
#define KILLS 0
#endif
#ifndef KILLABLE
#define KILLABLE 15
#endif
#ifndef SENDERS
#define SENDERS 2
#endif
#define LANES 2
#define MSGS (me==0 -> M0 : M1)
#define NONE 9

byte role[LANES];                 /* sender + 1 */
bit  used[LANES];                 /* it has had a sender */
byte pub[LANES], con[LANES], want[LANES];
byte ev, sev[LANES];              /* event words */
bit  rs, ratt; byte rtag;         /* the receiver's flags: one word */
bit  ss[LANES]; byte stag[LANES]; /* the senders' */
byte recv;                        /* the receiver's role: receiver + 1 */
bit  asleepS[LANES], asleepR;
/* stores that are not visible yet */
bit  pp[SENDERS], wp[SENDERS]; byte wv[SENDERS], lane[SENDERS];
bit  cp[LANES];
bit  act[5], crash[5], died[5], recd[5];
byte kills;
bit stopped[SENDERS];
byte endings, heard;                 /* ghosts: ends of senders, and those that were before the receiver last looked at all lanes */

#define OWN(i) (!pp[i] && !wp[i])
#define CONS (!cp[0] && !cp[1])
#if SENDERS==3
#define ALLOWN (OWN(0) && OWN(1) && OWN(2))
#else
#define ALLOWN (OWN(0) && OWN(1))
#endif

proctype Flusher() { byte i;
end: do
  :: atomic { pp[0] -> pub[lane[0]]++; pp[0]=0 }
  :: atomic { pp[1] -> pub[lane[1]]++; pp[1]=0 }
  :: atomic { wp[0] -> want[lane[0]]=wv[0]; wp[0]=0; wv[0]=0 }
  :: atomic { wp[1] -> want[lane[1]]=wv[1]; wp[1]=0; wv[1]=0 }
#if SENDERS==3
  :: atomic { pp[2] -> pub[lane[2]]++; pp[2]=0 }
  :: atomic { wp[2] -> want[lane[2]]=wv[2]; wp[2]=0; wv[2]=0 }
#endif
  :: atomic { cp[0] -> con[0]++; cp[0]=0 }
  :: atomic { cp[1] -> con[1]++; cp[1]=0 }
  od }

/* count an event up and wake; two steps */
#define COUNT_EV ev=(ev+1)%8
#define WAKE_R asleepR=0

proctype Sender(byte me) {
  byte l=NONE, p, n, w, mine=NONE; bit wake, slow;
  {
  skip;
end_join:
#ifdef JOINFIRST
  atomic { (role[0]==0 || role[1]==0) -> COUNT_EV; WAKE_R };
#endif
#ifdef NOCLAIM
  if :: role[0]==0 -> l=0 :: role[1]==0 -> l=1 fi;
  atomic { role[l]=me+1; used[l]=1; lane[me]=l; act[me]=1; p=pub[l] };
#else
  atomic { if :: role[0]==0 -> l=0 :: role[1]==0 -> l=1 fi;
    role[l]=me+1; used[l]=1; lane[me]=l; act[me]=1; p=pub[l] };
#endif
#if !defined(NOJOINWAKE) && !defined(JOINFIRST)
  COUNT_EV; WAKE_R;
#endif
  do
  :: n==MSGS -> break
  :: n<MSGS && p-con[l]<CAP ->
     atomic { !pp[me] -> pp[me]=1; p++; n++; assert(p==pub[l]+1) };
     /* a look without a fence, and with one if anything is set */
     atomic { slow=(rs || ratt) };
     if
     :: slow ->
#ifndef ATTNOFENCE
        OWN(me);
#endif
#ifdef TAGONLY
        atomic { wake=(rs && rtag==ev) };
#else
        atomic { wake=(rs && (rtag==ev || rtag!=mine)); if :: wake -> mine=rtag :: else fi };
#endif
        if :: wake -> COUNT_EV; WAKE_R :: else
           if :: atomic { OWN(me) && !rs && ratt -> ratt=0 } :: true fi
        fi
     :: else
     fi;
     wake=0; slow=0
  :: n<MSGS && p-con[l]>=CAP ->
     w=p+1-CAP;
     atomic { wp[me]=1; wv[me]=w };
     atomic { OWN(me) -> ss[l]=1; stag[l]=sev[l] };
#ifndef SNOBARRIER
     CONS;
#endif
     if
#ifndef SNOLOOK
     :: con[l]>=w
     :: con[l]<w ->
#else
     :: true ->
#endif
        atomic { if :: stag[l]==sev[l] -> asleepS[l]=1 :: else fi };
end_asleep: (!asleepS[l])
     fi;
     atomic { OWN(me) -> ss[l]=0; w=0 }
  od;
  atomic { OWN(me) -> role[l]=0; endings++ };
  COUNT_EV; WAKE_R;
  atomic { act[me]=0; recd[me]=1 };
  goto gone
  } unless { crash[me] };
  atomic {
#ifndef EARLYFREE
    OWN(me) ->
#endif
#ifdef HALT
    stopped[me]=1
#else
    died[me]=1; act[me]=0;
    if :: l!=NONE && role[l]==me+1 -> asleepS[l]=0; ss[l]=0 :: else fi
#endif
  };
gone: atomic { l=NONE; p=0; n=0; w=0; wake=0; slow=0; mine=NONE }
}

proctype Receiver(byte me) {
  byte l, seen=NONE; bit round[LANES], had, any; byte c[LANES];
  {
  skip;
end_come:
  atomic { recv==0 && (me==0 || recd[3]) -> recv=me+1; act[3+me]=1; c[0]=con[0]; c[1]=con[1]; rs=0; ratt=0 };
#ifdef SKIPLANES
  atomic { if :: me==1 -> seen=ev :: else fi };
#endif
  do
  :: true ->
     /* the round is what was in use when ev changed last */
     if
     :: seen!=ev -> seen=ev; atomic { heard=endings; round[0]=used[0]; round[1]=used[1] }
     :: else
     fi;
     atomic { if :: round[0] && pub[0]>c[0] -> l=0 :: round[1] && pub[1]>c[1] -> l=1 :: else -> l=NONE fi };
     if
     :: l!=NONE ->
        atomic { !cp[l] -> cp[l]=1; c[l]++; assert(c[l]<=pub[l]) };
        /* a look without a fence */
        if
#ifdef WANTMORE
        :: ss[l] && c[l]>want[l] ->
#else
        :: ss[l] && c[l]>=want[l] ->
#endif
           CONS;
           if :: atomic { ss[l] && stag[l]==sev[l] -> sev[l]=(sev[l]+1)%8 }; asleepS[l]=0
              :: !(ss[l] && stag[l]==sev[l])
           fi
        :: else
        fi
     :: else ->
        atomic { CONS -> had=ratt; rs=1; ratt=1; rtag=ev };
#ifdef ATTFIRST
        had=1;
#endif
#ifndef NOBARRIER
        if :: had :: else -> ALLOWN fi;
#endif
        had=0;
        atomic {
#ifdef NOLOOK
          any=0;
#elif defined(ONELANE)
          any=(round[0] && pub[0]>c[0]);
#else
          any=(round[0] && pub[0]>c[0]) || (round[1] && pub[1]>c[1]);
#endif
#ifndef OLDROUND
          any=any || seen!=ev
#endif
        };
        if
        :: !any ->
#ifdef NOCOMPARE
           asleepR=1;
#else
           atomic { if :: rtag==ev -> asleepR=1 :: else fi };
#endif
end_sleep: (!asleepR)
        :: else
        fi;
        atomic { CONS -> rs=0; any=0 }
     fi
  od
  } unless { crash[3+me] };
  atomic { CONS -> died[3+me]=1; act[3+me]=0; asleepR=0; rs=0 }
}

proctype Keeper() { byte i;
end: do
  :: atomic { died[0] && !recd[0] -> i=0 }; goto sender
  :: atomic { died[1] && !recd[1] -> i=1 }; goto sender
#if SENDERS==3
  :: atomic { died[2] && !recd[2] -> i=2 }; goto sender
#endif
  :: died[3] && !recd[3] ->
     atomic { recv=0 };
     sev[0]=(sev[0]+1)%8; asleepS[0]=0;
     sev[1]=(sev[1]+1)%8; asleepS[1]=0;
     recd[3]=1
  od;
sender:
  atomic { if :: role[lane[i]]==i+1 -> role[lane[i]]=0; endings++ :: else fi };
#ifndef RECNOWAKE
  COUNT_EV; WAKE_R;
#endif
  recd[i]=1;
  goto end
}

proctype Killer() {
end: do :: d_step { kills<KILLS && (KILLABLE & 1) && act[0] && !crash[0] -> kills++; crash[0]=1 }
        :: d_step { kills<KILLS && (KILLABLE & 2) && act[1] && !crash[1] -> kills++; crash[1]=1 }
        :: d_step { kills<KILLS && (KILLABLE & 8) && act[3] && !crash[3] -> kills++; crash[3]=1 }
     od }

/* Nothing runs any more: is anybody asleep who should not be? */
#define DONE(i) (recd[i] || stopped[i] || (role[lane[i]]==i+1 && asleepS[lane[i]]))
#if SENDERS==3
#define SENDERSDONE (DONE(0) && DONE(1) && (DONE(2) || (!act[2] && !recd[2])))
#else
#define SENDERSDONE (DONE(0) && DONE(1))
#endif
#define QUIET (asleepR && ALLOWN && CONS && SENDERSDONE && !(crash[0] && !recd[0] && !stopped[0]) && !(crash[1] && !recd[1] && !stopped[1]) && !(crash[3] && !recd[3]))
#define HELD(l) (role[l]!=0 && stopped[role[l]-1])
proctype Monitor() {
end: do :: d_step { QUIET ->
       /* everything published was received, but for what one published who was stopped before it woke anybody */
       assert((pub[0]==con[0] || HELD(0)) && (pub[1]==con[1] || HELD(1)));
       /* and so there was room */
       assert(!(asleepS[0] && !HELD(0)) && !(asleepS[1] && !HELD(1)));
       assert(heard==endings || stopped[0] || stopped[1])                                 /* and every end was heard of */
     } od }

init { atomic {
  run Sender(0); run Sender(1);
#if SENDERS==3
  run Sender(2);
#endif
  run Receiver(0); run Receiver(1); run Flusher(); run Keeper(); run Killer(); run Monitor() } }
