/* handoff: meeting, the turn, endings, rejoining and clashes of a handoff (decision 0004).
 *
 * Parties 0 and 1 are parents, 2 and 3 children; the second of a side comes when it likes after the first has come: it takes
 * the role over, clashes with a holder that waits unpaired, or (busy) waits until that has ended.  SIGKILL before any statement.
 *
 * Abstract here: the fences and the attentive bit of the event count (queue_wait) -- whoever sleeps reads the event, announces the sleep, looks again,
 * and sleeps unless the event has moved; whoever gives the turn looks at the flags, moves the event and wakes ONE; whoever changes a role or
 * makes a pair moves the event and wakes all, in one step.  Memory is sequentially consistent: `turn` is released and acquired, and the barrier after a death
 * (queue_data, NOKILLBARRIER) lets no store of the dead land after its role has ended.  Keepers (peers): one that always
 * wakes, since they sleep on a life word of their own; of the callers on the other life word the kernel wakes ONE.
 * Polling is left out, deadlines are GIVEUP.  Session numbers do not wrap.
 *
 *   bounds        YIELDS of the parent in a session, KILLS, KILLABLE, SECOND (1: a second parent, 2: a second child),
 *                 REJOIN (parties that rejoin once after an end, bit per party; a child whose parent ended before its first turn always does),
 *                 EARLY (parties that may close, or rejoin, when they have the turn), GIVEUP (that may instead of sleeping),
 *                 RETRY (parties that try once more after a clash)
 *   -DALONE       no child comes
 *   -DRECONLY     sleep on the event only, recovery alone wakes                               -> must hold
 *   -DNOALARM     whoever makes the pair does not wake the other: joining does                -> must hold
 *   -DNOJOINALARM joining does not wake: making the pair, or an end, does                     -> must hold
 *
 * Seeded mistakes, each must be caught:
 *   -DNORECHECK       the end is told without looking at the turn again
 *   -DWAKEFIRST       the wake comes before the store of the turn
 *   -DNOLIFE          sleep on the event only, and recovery does not wake
 *   -DVALUELATE       the value is stored after the turn
 *   -DNOPAIRCHECK     a pair is made without looking whether the other is in one
 *   -DPLAINPAIR       a pair is made by a store
 *   -DNOALARM -DNOJOINALARM  neither making a pair nor joining wakes the other
 *   -DOLDSESSION      the end is judged by "somebody has the role", not by the session
 *   -DCLASHNOWAKE     the refused holder is not woken
 *   -DCLASHPAIRED     a holder is refused though it is in a pair
 *   -DCLOSENOWAKE     closing does not wake
 *   -DNOREJOINSESSION who rejoins keeps its session number
 *   -DNOROLECHECK     who waits for a pair does not look whether its own session has been refused before it sleeps
 * and what the code itself did when this was written, which the model has repaired (CONFIRMED; flags only once in a pair; recovery wakes both):
 *   -DTURNJUDGES      who is in a pair does not say so in its role word: the refuser judges by `turn`, and the pair is made meanwhile
 *   -DPAIRFLAGS       who waits for a pair announces its sleep in the flags: a refused one clears them when the next holder sleeps
 *   -DJOININGCLEARS   the flags are cleared when the role is taken, not when the pair is had: by then it may be another's
 *   -DRECROLEONLY     recovery wakes only if the dead one is in the role word: not who was refused by one that died before it woke it
 *   -DSTALEPAIR       who has given up waiting for a new pair goes on with its old one
 */
#ifndef YIELDS
#define YIELDS 2
#endif
#ifndef KILLS
#define KILLS 1
#endif
#ifndef KILLABLE
#define KILLABLE 5
#endif
#ifndef SECOND
#define SECOND 0
#endif
#ifndef REJOIN
#define REJOIN 0
#endif
#ifndef EARLY
#define EARLY 0
#endif
#ifndef GIVEUP
#define GIVEUP 0
#endif
#ifndef RETRY
#define RETRY 0
#endif
#ifdef NOLIFE
#define RECONLY
#define NORECWAKE
#endif
#define CLOSED 1
#define DIED 2
#define CLASH 3
#define CONFIRMED 32                            /* the session has found itself in a pair: it can be refused no more */
#define SESSION(r) ((r)&7)
#define ENDING(r) (((r)>>3)&3)
#define ENDED(r,e) (((r)&7)|((e)<<3))
#define OF(t,y) ((y)==0 -> (t)&7 : ((t)>>3)&7)  /* the session of side y in a turn or a pair */
#define CHILD 64                                /* the child has the turn */
#define ON(y) ((y)==0 -> 0 : CHILD)

byte turn;                             /* parent's session, child's session, whose turn */
byte value[2];                         /* what each side gives */
byte role[2], holder[2];               /* role word: session, ending, CONFIRMED; party + 1, also after the end */
byte sleeping[2];                      /* flags: 1 SLEEPING with the tag of the event as it is, 2 with an old tag */
byte ev[4];                            /* 1: has read the event, 2: and it has moved since */
bit  asl[4], act[4], crash[4], died[4], recd[4];
byte wat[4];                           /* party + 1 on whose life word it is queued */
byte kills;
/* ghosts */
byte runs[4];                          /* pair + 128 while the party has the turn */
byte owedPair[2], owed[2], seq;        /* the turn given to a side, and what came with it; 0 once it is had */
byte refused[2];                       /* sessions that were refused and do not know it yet */

#define HELD(y) (holder[y]!=0 && ENDING(role[y])==0)
#define DEADHELD(y) (HELD(y) && died[holder[y]-1])
#define PAIRED(y) (OF(turn,y)==SESSION(role[y]))
#define CANCOME(y) (!HELD(y) || died[holder[y]-1] || !(PAIRED(y) || (role[y]&CONFIRMED)))
#define IS(mask) (((mask)>>me)&1)
#define MAYREJOIN (IS(REJOIN) && !rejoined)

inline moveEvent(y) {
  d_step {
    if :: ev[2*(y)]==1 -> ev[2*(y)]=2 :: else fi;
    if :: ev[2*(y)+1]==1 -> ev[2*(y)+1]=2 :: else fi;
    if :: sleeping[y]==1 -> sleeping[y]=2 :: else fi
  }
}
inline wakeOne(y) {
  atomic {
    if
    :: asl[2*(y)] -> asl[2*(y)]=0
    :: asl[2*(y)+1] -> asl[2*(y)+1]=0
    :: !asl[2*(y)] && !asl[2*(y)+1]
    fi
  }
}
inline alarm(y) {
  d_step { moveEvent(y); asl[2*(y)]=0; asl[2*(y)+1]=0 }
}
inline endDead(y,p) { d_step { if :: holder[y]==p && ENDING(role[y])==0 -> role[y]=ENDED(role[y],DIED) :: else fi } }
/* FUTEX_WAKE, all, on the life word of party p-1 */
inline chain(p) {
  d_step {
    if :: wat[0]==p -> asl[0]=0 :: else fi; if :: wat[1]==p -> asl[1]=0 :: else fi;
    if :: wat[2]==p -> asl[2]=0 :: else fi; if :: wat[3]==p -> asl[3]=0 :: else fi
  }
}
inline endDeadOther() {
  if
  :: atomic { DEADHELD(1-x) -> d=holder[1-x] };
     chain(d);
     endDead(1-x,d);
#ifndef NORECWAKE
     alarm(x);
#endif
     d=0
  :: else
  fi
}
#define FIRSTLOOK(r) (OF(turn,x)==SESSION(r))
/* what both waits end with: sleep while the event has not moved and the holder that was looked at lives */
inline futexWait() {
  atomic {
#ifdef RECONLY
    lp=0;
#endif
    if
    :: ev[me]==1 && (lp==0 || !died[lp-1]) -> asl[me]=1; wat[me]=lp
    :: else
    fi;
    ev[me]=0
  };
end_sleep: (!asl[me]);
  wat[me]=0
}
inline announceSleep() { d_step { sleeping[x]=ev[me] } }     /* the tag is the event as it was read */
#define CHANGED (role[1-x]!=lr || (lp!=0 && died[lp-1]))
#define LOOKAT d_step { lr=role[1-x]; lp=(HELD(1-x) -> holder[1-x] : 0) }

proctype Party(byte me) {
  byte x, s, pr, lr, lp, t, d, left, r; bit rejoined, retried, had, can;
  {
  atomic { x=me/2; act[me]=1 };
come:
end_come:
  atomic { CANCOME(x) && (me%2==0 || role[x]!=0) -> left=YIELDS };
  /* ---- take the role ---- */
  if
  :: atomic { DEADHELD(x) -> d=holder[x] };
     endDead(x,d);
#ifndef NORECWAKE
     alarm(1-x);
#endif
     d=0;
     goto come
  :: atomic { !HELD(x) ->
#ifdef NOREJOINSESSION
       if :: s!=0 && s==SESSION(role[x]) :: else -> s=SESSION(role[x])+1 fi;
#else
       s=SESSION(role[x])+1;
#endif
       assert(s<8); role[x]=s; holder[x]=me+1; had=0 }
  :: atomic { HELD(x) && !died[holder[x]-1] -> r=role[x] };
     /* ---- refuse it? ---- */
#ifndef CLASHPAIRED
     atomic { if :: OF(turn,x)==SESSION(r) || (r&CONFIRMED) -> r=0; goto come :: else fi };     /* busy */
#endif
     atomic {
       if
       :: role[x]==r ->
          role[x]=ENDED(r,CLASH); if :: !died[holder[x]-1] -> refused[x]=refused[x]|(1<<SESSION(r)) :: else fi; r=0
       :: else -> r=0; goto come
       fi };
     alarm(1-x);
#ifndef CLASHNOWAKE
     alarm(x);
#endif
     goto clash
  fi;
#ifdef JOININGCLEARS
  sleeping[x]=0;
#endif
#ifndef NOJOINALARM
  alarm(1-x);
#endif
  /* ---- pair ---- */
pair:
  endDeadOther();
  LOOKAT;
  atomic { t=turn; if :: OF(t,x)==s -> pr=t&63; t=0; lr=0; lp=0; goto paired :: else fi };
  if :: role[x]!=s -> goto told :: else fi;
  if
#ifdef NOPAIRCHECK
  :: lp!=0 ->
#else
  :: lp!=0 && OF(t,1-x)!=SESSION(lr) ->
#endif
     atomic {
#ifdef PLAINPAIR
       can=1;
#else
       can=(turn==t);
#endif
       if :: can -> turn=(x==0 -> s|(SESSION(lr)<<3) : SESSION(lr)|(s<<3)) :: else fi };
#ifndef NOALARM
     if :: can -> alarm(1-x) :: else fi;
#endif
     atomic { can=0; t=0; lr=0; lp=0 }
  :: else ->
#if GIVEUP
#ifdef STALEPAIR
     if :: IS(GIVEUP) && pr==0 -> goto close :: IS(GIVEUP) && pr!=0 -> atomic { t=0; lr=0; lp=0; had=1 }; goto await :: true fi;
#else
     if :: IS(GIVEUP) -> goto close :: true fi;
#endif
#endif
     ev[me]=1;
#ifdef PAIRFLAGS
     announceSleep();
#endif
     if :: turn!=t -> goto awake :: else fi;
#ifndef NOROLECHECK
     if :: role[x]!=s -> goto awake :: else fi;
#endif
     if :: CHANGED -> goto awake :: else fi;
     futexWait();
awake:
     atomic { ev[me]=0; t=0; lr=0; lp=0
#ifdef PAIRFLAGS
       ; sleeping[x]=0
#endif
     }
  fi;
  goto pair;
paired:
#ifndef TURNJUDGES
  atomic { if
  :: role[x]==s -> role[x]=s|CONFIRMED
  :: else -> pr=0; goto told
  fi };
#endif
  atomic {
#ifndef JOININGCLEARS
    sleeping[x]=0;
#endif
    if :: x==1 -> goto await :: else -> had=1 fi };
  /* ---- the turn is this side's ---- */
mine:
  atomic {
    assert(SESSION(role[x])==s && ENDING(role[x])==0 && holder[x]==me+1);   /* told of nothing: so it must live */
    assert(runs[2-2*x]!=(128|pr) && runs[3-2*x]!=(128|pr));
    runs[me]=128|pr };
  if
  :: IS(EARLY) -> goto close
  :: IS(EARLY) && MAYREJOIN -> rejoined=1; goto rejoin
  :: x==0 && left==0 -> goto close
  :: x==1 || left>0 ->
#ifndef VALUELATE
     d_step { value[x]=seq+1 };
#endif
#ifdef WAKEFIRST
     if :: sleeping[1-x]==1 -> moveEvent((1-x)); wakeOne((1-x)) :: else fi;
#endif
     d_step {
       assert((turn&63)==pr && (turn&CHILD)==ON(x));                        /* no newer pair is overwritten */
       turn=pr|ON(1-x); runs[me]=0;
       assert(owed[1-x]==0 || owedPair[1-x]!=pr);
       seq++; owed[1-x]=seq; owedPair[1-x]=pr;
       if :: left>0 -> left-- :: else fi };
#ifdef VALUELATE
     d_step { value[x]=seq };
#endif
#ifndef WAKEFIRST
     if :: sleeping[1-x]==1 -> moveEvent((1-x)); wakeOne((1-x)) :: else fi
#endif
  fi;
  /* ---- wait for it ---- */
await:
  if :: turn!=(pr|ON(1-x)) -> goto take :: else fi;
  endDeadOther();
  LOOKAT;
  if
#ifdef OLDSESSION
  :: lp==0 ->
#else
  :: lp==0 || SESSION(lr)!=OF(pr,1-x) ->
#endif
#ifndef NORECHECK
     if :: turn!=(pr|ON(1-x)) -> goto take :: else fi;
#endif
     d_step { assert(owed[x]==0 || owedPair[x]!=pr);                        /* every turn that was given is had first */
       lr=0; lp=0 };
     if
     :: !had -> goto rejoin
     :: had && MAYREJOIN -> rejoined=1; goto rejoin
     :: had && !MAYREJOIN -> goto close
     fi
  :: else
  fi;
#if GIVEUP
  if :: IS(GIVEUP) -> goto close :: IS(GIVEUP) && had && MAYREJOIN -> rejoined=1; lr=0; lp=0; goto rejoin :: true fi;
#endif
  ev[me]=1;
  announceSleep();
  if :: turn!=(pr|ON(1-x)) -> goto cancel :: else fi;
  if :: CHANGED -> goto cancel :: else fi;
  futexWait();
cancel:
  atomic { ev[me]=0; lr=0; lp=0; sleeping[x]=0 };
  goto await;
take:
  atomic {
    lr=0; lp=0;
    assert(turn==(pr|ON(x)));                                               /* "damaged" */
    assert(owed[x]!=0 && owedPair[x]==pr);                                  /* once */
    assert(value[1-x]==owed[x]);
    owed[x]=0; owedPair[x]=0; had=1 };
  goto mine;
rejoin:
  atomic {
    runs[me]=0;
#ifdef STALEPAIR
    if :: rejoined :: else -> pr=0 fi;
#else
    pr=0;
#endif
    can=(role[x]&(7|(3<<3)))==s && holder[x]==me+1; if :: can -> role[x]=ENDED(s,CLOSED) :: else fi };
#ifndef CLOSENOWAKE
  if :: can -> alarm(1-x) :: else fi;
#endif
  atomic { can=0; goto come };
told:
  atomic { t=0; lr=0; lp=0; assert(refused[x] & (1<<s)); refused[x]=refused[x]&~(1<<s); s=0 };
clash:
  if
  :: IS(RETRY) && !retried -> atomic { retried=1; s=0 }; goto come
  :: else
  fi;
  goto gone;
close:
  atomic { runs[me]=0; t=0; lr=0; lp=0; refused[x]=refused[x]&~(1<<s);
    can=(role[x]&(7|(3<<3)))==s && holder[x]==me+1; if :: can -> role[x]=ENDED(s,CLOSED) :: else fi };
#ifndef CLOSENOWAKE
  if :: can -> alarm(1-x) :: else fi;
#endif
  goto gone
  } unless { crash[me] };
  /* the kernel: the life word is marked, ONE of those queued on it is woken */
  atomic {
    asl[me]=0; wat[me]=0; ev[me]=0; runs[me]=0; died[me]=1; refused[x]=refused[x]&~(1<<s);
    if
    :: wat[2-2*x]==me+1 -> asl[2-2*x]=0
    :: wat[3-2*x]==me+1 -> asl[3-2*x]=0
    :: wat[2-2*x]!=me+1 && wat[3-2*x]!=me+1
    fi
  };
gone:
  atomic { act[me]=0; x=0; s=0; pr=0; lr=0; lp=0; t=0; d=0; left=0; r=0; rejoined=0; retried=0; had=0; can=0 }
}
#define UNREC(i) (died[i] && !recd[i])
proctype Keeper() {
  byte i;
end:
  do
  :: atomic { UNREC(0) || UNREC(1) || UNREC(2) || UNREC(3) ->
       if :: UNREC(0) -> i=0 :: UNREC(1) -> i=1 :: UNREC(2) -> i=2 :: UNREC(3) -> i=3 fi };
     endDead(i/2,i+1);
#ifndef NORECWAKE
#ifdef RECROLEONLY
     if :: holder[i/2]==i+1 -> alarm((1-i/2)) :: else fi;
#else
     alarm(0); alarm(1);
#endif
     chain(i+1);                                                            /* the slot is given back */
#endif
     d_step { recd[i]=1; i=0 }
  od
}
proctype Killer() {
end: do
     :: d_step { kills<KILLS && (KILLABLE & 1) && act[0] && !crash[0] -> kills++; crash[0]=1 }
     :: d_step { kills<KILLS && (KILLABLE & 2) && act[1] && !crash[1] -> kills++; crash[1]=1 }
     :: d_step { kills<KILLS && (KILLABLE & 4) && act[2] && !crash[2] -> kills++; crash[2]=1 }
     :: d_step { kills<KILLS && (KILLABLE & 8) && act[3] && !crash[3] -> kills++; crash[3]=1 }
     :: kills<KILLS -> break
     od
}
/* nothing runs any more: is anybody asleep who should not be? */
#define UNPAIRED(y) (HELD(y) && !PAIRED(y))
inline judge(m,y) {
  if
  :: asl[m] ->
     assert(HELD(y) && holder[y]==m+1);                  /* its session has not ended */
     if
     :: UNPAIRED(y) -> assert(!HELD(1-y) || PAIRED(1-y)) /* nobody to meet, or still in a pair with one who was here before */
     :: else ->
        assert((turn&CHILD)==ON(1-y));                   /* the turn is not its own */
        assert(HELD(1-y) && PAIRED(1-y))                 /* and the other has not ended */
     fi
  :: else
  fi
}
proctype Monitor() {
  timeout ->
  d_step {
    assert(!UNREC(0) && !UNREC(1) && !UNREC(2) && !UNREC(3));
    assert(refused[0]==0 && refused[1]==0);
    judge(0,0); judge(1,0); judge(2,1); judge(3,1);
    /* both asleep in a pair: the turn would be one's; asleep unpaired while the other sleeps in an old pair: that one has been told */
    assert(!(asl[0] || asl[1]) || !(asl[2] || asl[3]))
  }
}
init { atomic { run Party(0);
#ifndef ALONE
  run Party(2);
#endif
  if :: SECOND & 1 -> run Party(1) :: else fi; if :: SECOND & 2 -> run Party(3) :: else fi;
  run Keeper(); run Killer(); run Monitor() } }
